#!/bin/sh
# Writes the passwords compose.yaml hands to its containers, where there are none yet: random ones, one file each,
# in docker/secrets/.
set -eu

cd "$(dirname "$0")"
mkdir -p secrets
# The directory keeps other users out. The files themselves are mounted one by one into containers, whose users have
# other numbers than ours, and must be readable there.
chmod 0700 secrets
for name in store_password app_password; do
    if [ ! -s "secrets/$name" ]; then
        od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "secrets/$name"
    fi
    chmod 0444 "secrets/$name"
done
echo "docker/secrets: store_password, app_password"
