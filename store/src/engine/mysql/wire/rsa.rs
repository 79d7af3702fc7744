//! Encrypting a password with the server's RSA key: RSAES-OAEP with SHA-1, as `caching_sha2_password` has it.
//!
//! Once per login at most, and only without TLS. The numbers are num-bigint's, as in `proxy/src/auth/rsa.rs`, which has the
//! secret half; what is encrypted is masked with random bytes first, so that the time it takes tells nothing. The few lines
//! that read DER and make a mask stand there a second time: this crate may not use that one, which would have to reach into
//! an engine's protocol for them, and a crate for two functions would be more than they are.

use num_bigint::BigUint;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use sha1::{Digest, Sha1};

/// Bytes of a SHA-1 hash, and of the random seed of a message.
pub(super) const SEED: usize = 20;

/// Longest modulus, in bytes: 4096 bits, twice what servers make for themselves.
const MODULUS: usize = 512;

/// Longest exponent, in bytes; every server's is 65537.
const EXPONENT: usize = 4;

/// A server's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    modulus: BigUint,
    /// Bytes of the modulus: as many has an encrypted message.
    length: usize,
    exponent: BigUint,
}

impl PublicKey {
    /// Reads a key in PEM (`BEGIN PUBLIC KEY`); `None` for anything else.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
        let (mut info, _) = element(SEQUENCE, info.as_ref())?;
        // Which algorithm it is for.
        (_, info) = element(SEQUENCE, info)?;
        let (key, _) = element(BITS, info)?;
        let (key, _) = element(SEQUENCE, key.strip_prefix(&[0])?)?;
        let (modulus, key) = element(INTEGER, key)?;
        let (exponent, _) = element(INTEGER, key)?;
        let modulus = unsigned(modulus);
        let length = modulus.len();
        let exponent = unsigned(exponent);
        if !(2 * SEED + 2..=MODULUS).contains(&length) || exponent.len() > EXPONENT {
            return None;
        }
        let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        Some(Self { modulus, length, exponent })
    }

    /// Encrypts a message; `None` if it is too long for the key.
    pub(super) fn encrypt(&self, message: &[u8], seed: [u8; SEED]) -> Option<Vec<u8>> {
        let room = self.length.checked_sub(2 * SEED + 2)?;
        let padding = room.checked_sub(message.len())?;
        let mut data = Sha1::digest([]).to_vec();
        data.resize(SEED + padding, 0);
        data.push(1);
        data.extend_from_slice(message);
        mask(&mut data, &seed);
        let mut seed = seed;
        mask(&mut seed, &data);
        let mut padded = vec![0];
        padded.extend_from_slice(&seed);
        padded.extend_from_slice(&data);
        let encrypted = BigUint::from_bytes_be(&padded).modpow(&self.exponent, &self.modulus).to_bytes_be();
        Some([vec![0; self.length - encrypted.len()], encrypted].concat())
    }
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The content of a DER element of this tag, and what is behind it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[got, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    if got == tag { rest.split_at_checked(length) } else { None }
}

/// A number without the zeros before it.
fn unsigned(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// Xors `bytes` with what follows from `seed` (MGF1).
fn mask(bytes: &mut [u8], seed: &[u8]) {
    for (chunk, counter) in bytes.chunks_mut(SEED).zip(0u32..) {
        let stream = Sha1::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        for (byte, stream) in chunk.iter_mut().zip(stream) {
            *byte ^= stream;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = include_bytes!("testdata/key.pem");

    /// What `openssl pkeyutl -decrypt` turns back into the message.
    const ENCRYPTED: &str = "1eb1f85e82b5824a638c75fe49a5eaf8bbb112154b6d8ffdfed17647bfc0ae3e2bee02f91c36cdec9432b1241a4b759722ae\
        960d483b59b671a5da155af0234efed66fd41981083e8e57fe143a52f6e7d91cad576369aae8139fbca979c4769eb925768a11fecca43de5\
        952f34b12bd9963b15fab701cdf07d365d60b25c2473";

    #[test]
    fn a_password_is_encrypted_as_openssl_expects_it() {
        let key = PublicKey::from_pem(KEY).unwrap();
        let seed = std::array::from_fn(|i| i as u8);
        let encrypted = key.encrypt(b"correct horse\0", seed).unwrap();
        let hex: String = encrypted.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, ENCRYPTED);
        assert_eq!(key.encrypt(&[b'p'; 87], seed), None, "longer than the key has room for");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(PublicKey::from_pem(b""), None);
        assert_eq!(PublicKey::from_pem(b"-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----\n"), None);
        // Every truncation and every flipped byte: a key, or none; never a panic.
        let info = SubjectPublicKeyInfoDer::from_pem_slice(KEY).unwrap();
        for at in 0..info.as_ref().len() {
            assert_eq!(element(SEQUENCE, &info.as_ref()[..at]), None);
        }
    }
}
