//! Encrypting a password with the server's RSA key: RSAES-OAEP with SHA-1, as `caching_sha2_password` has it.
//!
//! Once per login at most, and only without TLS; so plain long multiplication will do, and no library for big numbers
//! is compiled for it. What is encrypted is masked with random bytes first, so that the time it takes tells nothing.

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
    modulus: Number,
    /// Bytes of the modulus: as many has an encrypted message.
    length: usize,
    exponent: u32,
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
        let exponent = exponent.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        Some(Self { modulus: Number::from_bytes(modulus, length), length, exponent })
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
        let encrypted = Number::from_bytes(&padded, self.length).power(self.exponent, &self.modulus);
        Some(encrypted.to_bytes(self.length))
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

/// A number of fixed length: 32-bit digits, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number(Vec<u32>);

impl Number {
    /// A number from its bytes, highest first, with room for `length` bytes.
    fn from_bytes(bytes: &[u8], length: usize) -> Self {
        let digit = |chunk: &[u8]| chunk.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let mut digits: Vec<u32> = bytes.rchunks(4).map(digit).collect();
        digits.resize(length.div_ceil(4), 0);
        Self(digits)
    }

    fn to_bytes(&self, length: usize) -> Vec<u8> {
        let bytes: Vec<u8> = self.0.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect();
        bytes[bytes.len() - length..].to_vec()
    }

    /// Adds a number, both below `modulus`; the sum is, too.
    fn add(&mut self, other: &Self, modulus: &Self) {
        let mut carry = 0u64;
        for (digit, other) in self.0.iter_mut().zip(&other.0) {
            carry += u64::from(*digit) + u64::from(*other);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry > 0 || !self.is_below(modulus) {
            let mut borrow = 0i64;
            for (digit, modulus) in self.0.iter_mut().zip(&modulus.0) {
                borrow += i64::from(*digit) - i64::from(*modulus);
                *digit = borrow as u32;
                borrow >>= 32;
            }
        }
    }

    fn is_below(&self, other: &Self) -> bool {
        self.0.iter().rev().lt(other.0.iter().rev())
    }

    /// The product of two numbers below `modulus`, by doubling and adding.
    fn times(&self, other: &Self, modulus: &Self) -> Self {
        let mut product = Self(vec![0; self.0.len()]);
        for digit in other.0.iter().rev() {
            for bit in (0..32).rev() {
                let twice = product.clone();
                product.add(&twice, modulus);
                if digit >> bit & 1 == 1 {
                    product.add(self, modulus);
                }
            }
        }
        product
    }

    /// `self` to the power of `exponent`. Numbers of another length or not below `modulus` give nonsense, no panic.
    fn power(&self, exponent: u32, modulus: &Self) -> Self {
        let mut power = Self(vec![0; self.0.len()]);
        power.0[0] = 1;
        for bit in (0..u32::BITS - exponent.leading_zeros()).rev() {
            power = power.times(&power.clone(), modulus);
            if exponent >> bit & 1 == 1 {
                power = power.times(self, modulus);
            }
        }
        power
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

    #[test]
    fn powers_are_those_of_the_primary_school() {
        let number = |n: u32| Number::from_bytes(&n.to_be_bytes(), 4);
        assert_eq!(number(7).power(5, &number(1000)), number(807));
        assert_eq!(number(0).power(3, &number(11)), number(0));
        assert_eq!(number(u32::MAX - 2).power(2, &number(u32::MAX - 1)), number(1));
    }
}
