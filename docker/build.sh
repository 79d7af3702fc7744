#!/bin/sh
# Builds the program and lays out what the image holds beside Debian's own files, under the directory ROOTFS:
#
#     docker/build.sh ROOTFS
#
# Everything the Dockerfile runs is here, so that it can run without a container engine too. Needs Rust and a C
# compiler; honours CARGO_TARGET_DIR. `cargo xtask dist` installs the servers for its loads if it may, and does without
# them if not.
set -eu

rootfs=${1:?usage: docker/build.sh ROOTFS}
mkdir -p "$rootfs/usr/local/bin" "$rootfs/var/lib/cellgate"
rootfs=$(cd "$rootfs" && pwd)
cd "$(dirname "$0")/.."

cargo xtask dist
target=${CARGO_TARGET_DIR:-target}

install -m 0755 "$target/dist/cellgate" "$rootfs/usr/local/bin/cellgate"
# The lines of a panic are logged without debugging symbols as well, and they are most of the file.
strip --strip-debug "$rootfs/usr/local/bin/cellgate"
# Copies come with their licences: ours, and those of what it is linked of.
install -D -m 0644 LICENSE "$rootfs/usr/share/doc/cellgate/LICENSE"
install -D -m 0644 "$target/dist/LICENSES" "$rootfs/usr/share/doc/cellgate/LICENSES"
# COPY copies no directory that is empty on every builder.
: > "$rootfs/var/lib/cellgate/.keep"

"$rootfs/usr/local/bin/cellgate" --version
