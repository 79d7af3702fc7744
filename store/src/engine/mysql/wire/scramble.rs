//! How a password is proved without being shown.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// For `mysql_native_password`: SHA1(p) xor SHA1(nonce, SHA1(SHA1(p))). Nothing for an empty password.
pub(super) fn native(nonce: &[u8], password: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha1::digest(password);
    let twice = Sha1::digest(once);
    let proof = Sha1::new().chain_update(nonce).chain_update(twice).finalize();
    xor(&once, &proof)
}

/// For `caching_sha2_password`: SHA256(p) xor SHA256(SHA256(SHA256(p)), nonce). Nothing for an empty password.
pub(super) fn sha2(nonce: &[u8], password: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Sha256::digest(password);
    let twice = Sha256::digest(once);
    let proof = Sha256::new().chain_update(twice).chain_update(nonce).finalize();
    xor(&once, &proof)
}

/// `bytes`, each xored with that of `mask`, which is repeated.
pub(super) fn xor(bytes: &[u8], mask: &[u8]) -> Vec<u8> {
    bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn passwords_are_proved_as_servers_expect_it() {
        let nonce = b"0123456789abcdefghij";
        assert_eq!(hex(&native(nonce, b"secret")), "f5cac3f3b3df2133feb57db682c71e6ed433a988");
        let proof = "7e4adda2f2d5ef09b4147518becb0cee2939376203650a8c2bb2815959364bd0";
        assert_eq!(hex(&sha2(nonce, b"secret")), proof);
        assert!(native(nonce, b"").is_empty() && sha2(nonce, b"").is_empty());
    }
}
