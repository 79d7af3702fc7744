//! RSA, for one thing only: a password that a client encrypts because it has no TLS to send it over.
//!
//! The numbers are num-bigint's, which is in the program anyway; neither it nor anything else in here takes the same time
//! for all numbers. What an attacker chooses, the ciphertext, is therefore multiplied with a random number before the
//! secret exponent meets it (blinding), so that durations tell nothing about it, and a result is checked against the
//! ciphertext before it is used, so that a miscalculation does not give away the key. The padding is looked at without a
//! branch on what is in it, and whatever is wrong with it is one answer. `docs/decisions/0012-login-key.md` weighs it.
//!
//! The public half, for logins to servers, is `store/src/engine/mysql/wire/rsa.rs`, which says why it stands there.

use std::hint::black_box;

use num_bigint::BigUint;
use sha1::{Digest, Sha1};

use crate::der::{bits, der, oid, pem, tag, take, unsigned};

/// Bits of the modulus: MySQL's own choice for the pair it makes.
const MODULUS_BITS: u64 = 2048;
/// The smallest modulus that a file may hold: MySQL's own limit.
const SMALLEST_MODULUS_BITS: u64 = 1024;
/// The largest: what one login may cost is bounded.
const LARGEST_MODULUS_BITS: u64 = 4096;
const PUBLIC_EXPONENT: u32 = 65_537;
/// Rounds of Miller and Rabin, each with a random base. Four are enough for a random number of 1024 bits to be composite
/// with a probability below 2^-100 (FIPS 186-5, table B.1).
const ROUNDS: u32 = 8;
/// Divisors tried before that: they leave one in a dozen of the odd numbers.
const SMALL_PRIMES_BELOW: u32 = 2000;
/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Bytes of a SHA-1, which OAEP is made with here as in MySQL.
const HASH: usize = 20;

/// Why a pair could not be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaError {
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// A file does not hold a key that can be used.
    #[error("not an RSA private key of {SMALLEST_MODULUS_BITS} to {LARGEST_MODULUS_BITS} bits in PKCS#1 form")]
    NotAKey,
    /// A result did not fit: broken hardware, or an attack on it.
    #[error("an RSA result was wrong")]
    Fault,
}

/// A pair of keys.
pub struct KeyPair {
    modulus: BigUint,
    exponent: BigUint,
    secret_exponent: BigUint,
    primes: [BigUint; 2],
    /// The secret exponent modulo each prime less one.
    exponents: [BigUint; 2],
    /// The inverse of the second prime modulo the first.
    coefficient: BigUint,
    public_pem: String,
}

impl KeyPair {
    /// Makes one. Takes a second of computing, more or less.
    ///
    /// # Errors
    /// [`RsaError::Random`].
    pub fn generate() -> Result<Self, RsaError> {
        loop {
            let primes = [random_prime(MODULUS_BITS / 2)?, random_prime(MODULUS_BITS / 2)?];
            if let Some(pair) = Self::of(primes) {
                return Ok(pair);
            }
        }
    }

    /// The pair of two primes; `None` if they make none.
    fn of(primes: [BigUint; 2]) -> Option<Self> {
        let [p, q] = &primes;
        let exponent = BigUint::from(PUBLIC_EXPONENT);
        let around = (p - 1u32) * (q - 1u32);
        let secret_exponent = exponent.modinv(&around)?;
        let exponents = [&secret_exponent % (p - 1u32), &secret_exponent % (q - 1u32)];
        let coefficient = q.modinv(p)?;
        Some(Self::assemble(p * q, exponent, secret_exponent, primes, exponents, coefficient))
    }

    fn assemble(
        modulus: BigUint,
        exponent: BigUint,
        secret_exponent: BigUint,
        primes: [BigUint; 2],
        exponents: [BigUint; 2],
        coefficient: BigUint,
    ) -> Self {
        let key = der(tag::SEQUENCE, &[&number(&modulus), &number(&exponent)]);
        let algorithm = der(tag::SEQUENCE, &[&oid(RSA_ENCRYPTION), &der(tag::NULL, &[])]);
        let public_pem = pem("PUBLIC KEY", &der(tag::SEQUENCE, &[&algorithm, &bits(&key)]));
        Self { modulus, exponent, secret_exponent, primes, exponents, coefficient, public_pem }
    }

    /// Reads the DER of a PKCS#1 private key.
    ///
    /// # Errors
    /// [`RsaError::NotAKey`], also if its numbers do not belong together.
    pub fn from_pkcs1(bytes: &[u8]) -> Result<Self, RsaError> {
        let read = |mut bytes: &[u8]| {
            let mut fields = take(&mut bytes, tag::SEQUENCE)?;
            let mut next = || take(&mut fields, tag::INTEGER).map(BigUint::from_bytes_be);
            let version = next()?;
            let [modulus, exponent, secret_exponent, p, q] = [next()?, next()?, next()?, next()?, next()?];
            let [first, second, coefficient] = [next()?, next()?, next()?];
            let fits = version.bits() == 0
                && (SMALLEST_MODULUS_BITS..=LARGEST_MODULUS_BITS).contains(&modulus.bits())
                && modulus.bit(0)
                && &p * &q == modulus
                && exponent.bits() <= 32
                && p.bits() > 1
                && q.bits() > 1
                && first == &secret_exponent % (&p - 1u32)
                && second == &secret_exponent % (&q - 1u32)
                && q.modinv(&p).as_ref() == Some(&coefficient);
            fits.then(|| Self::assemble(modulus, exponent, secret_exponent, [p, q], [first, second], coefficient))
        };
        let pair = read(bytes).ok_or(RsaError::NotAKey)?;
        // The exponents belong to the rest if what is encrypted comes back.
        let probe = BigUint::from(PUBLIC_EXPONENT);
        let back = pair.raise(&probe.modpow(&pair.exponent, &pair.modulus));
        if back.is_ok_and(|back| back == probe) { Ok(pair) } else { Err(RsaError::NotAKey) }
    }

    /// The private key in PEM, PKCS#1.
    pub fn private_pem(&self) -> String {
        let [p, q] = &self.primes;
        let [first, second] = &self.exponents;
        let numbers =
            [&self.modulus, &self.exponent, &self.secret_exponent, p, q, first, second, &self.coefficient].map(number);
        let version = unsigned(&[]);
        pem("RSA PRIVATE KEY", &der(tag::SEQUENCE, &[&version, &numbers.concat()]))
    }

    /// The public key in PEM, as a client is sent it.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// What was encrypted with the public key and padded by OAEP with SHA-1; `None` if it was not.
    ///
    /// # Errors
    /// [`RsaError::Random`], [`RsaError::Fault`]: nothing is known of the ciphertext.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Option<Vec<u8>>, RsaError> {
        let length = self.modulus.bits().div_ceil(8) as usize;
        let number = BigUint::from_bytes_be(ciphertext);
        if ciphertext.len() != length || number >= self.modulus {
            return Ok(None);
        }
        let plain = self.raise(&number)?.to_bytes_be();
        let mut padded = vec![0; length - plain.len()];
        padded.extend_from_slice(&plain);
        Ok(unpad(padded))
    }

    /// A number to the power of the secret exponent, in two halves (the Chinese remainder theorem), blinded, checked.
    fn raise(&self, number: &BigUint) -> Result<BigUint, RsaError> {
        let (blind, unblind) = loop {
            let random = random_bits(self.modulus.bits())? % &self.modulus;
            if let Some(inverse) = random.modinv(&self.modulus) {
                break (random, inverse);
            }
        };
        let blinded = number * blind.modpow(&self.exponent, &self.modulus) % &self.modulus;
        let [p, q] = &self.primes;
        let [first, second] = [(0, p), (1, q)].map(|(half, prime)| blinded.modpow(&self.exponents[half], prime));
        let difference = (first + p - &second % p) % p;
        let whole = second + difference * &self.coefficient % p * q;
        if whole.modpow(&self.exponent, &self.modulus) != blinded {
            return Err(RsaError::Fault);
        }
        Ok(whole * unblind % &self.modulus)
    }
}

impl std::fmt::Debug for KeyPair {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({} bits)", self.modulus.bits())
    }
}

fn number(number: &BigUint) -> Vec<u8> {
    unsigned(&number.to_bytes_be())
}

/// Removes OAEP's padding (RFC 8017, 7.1.2) with SHA-1 and no label. How long it takes does not depend on what is wrong.
fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    if padded.len() < 2 * HASH + 2 {
        return None;
    }
    let (first, masked) = padded.split_first_mut()?;
    let (seed, block) = masked.split_at_mut(HASH);
    mask(seed, block);
    mask(block, seed);
    let label = Sha1::digest([]);
    let mut wrong = *first;
    for (byte, expected) in block.iter().zip(label) {
        wrong = black_box(wrong | (byte ^ expected));
    }
    // Zeros, a one, and the message. `behind` is all ones behind the first byte that is no zero.
    let (mut behind, mut length) = (0u8, 0usize);
    for byte in &block[HASH..] {
        let here = !behind & nonzero(*byte);
        wrong = black_box(wrong | (here & (byte ^ 1)));
        length += usize::from(behind & 1);
        behind = black_box(behind | here);
    }
    wrong |= !behind;
    let message = block[block.len() - length..].to_vec();
    (wrong == 0).then_some(message)
}

/// All ones for a byte that is not zero, without a branch.
fn nonzero(byte: u8) -> u8 {
    let top = (byte | byte.wrapping_neg()) >> 7;
    top.wrapping_neg()
}

/// XORs the mask that MGF1 makes of `seed` onto `target`.
fn mask(target: &mut [u8], seed: &[u8]) {
    for (counter, chunk) in (0u32..).zip(target.chunks_mut(HASH)) {
        let block = Sha1::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        chunk.iter_mut().zip(block).for_each(|(byte, mask)| *byte ^= mask);
    }
}

fn random_bits(bits: u64) -> Result<BigUint, RsaError> {
    let mut bytes = vec![0; bits.div_ceil(8) as usize];
    getrandom::fill(&mut bytes).map_err(|_| RsaError::Random)?;
    Ok(BigUint::from_bytes_be(&bytes))
}

/// A prime of so many bits, a whole number of bytes, whose two highest are set so that the product of two has twice as
/// many; and that the public exponent can be inverted under.
fn random_prime(bits: u64) -> Result<BigUint, RsaError> {
    let divisors = small_primes();
    loop {
        let mut candidate = random_bits(bits)?;
        for bit in [0, bits - 1, bits - 2] {
            candidate.set_bit(bit, true);
        }
        let divided = divisors.iter().any(|divisor| (&candidate % *divisor).bits() == 0);
        if !divided && ((&candidate - 1u32) % PUBLIC_EXPONENT).bits() > 0 && is_prime(&candidate)? {
            return Ok(candidate);
        }
    }
}

fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for number in (3..SMALL_PRIMES_BELOW).step_by(2) {
        if primes.iter().all(|prime| number % prime != 0) {
            primes.push(number);
        }
    }
    primes
}

/// The test of Miller and Rabin, of an odd number above three.
fn is_prime(number: &BigUint) -> Result<bool, RsaError> {
    let one = BigUint::from(1u32);
    let less = number - 1u32;
    let twos = less.trailing_zeros().unwrap_or_default();
    let odd = &less >> twos;
    'rounds: for _ in 0..ROUNDS {
        let base = random_bits(number.bits())? % (&less - 2u32) + 2u32;
        let mut power = base.modpow(&odd, number);
        if power == one || power == less {
            continue;
        }
        for _ in 1..twos {
            power = &power * &power % number;
            if power == less {
                continue 'rounds;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A pair for tests, which takes no second to make.
    pub(crate) fn pair() -> KeyPair {
        let primes = include_str!("testdata/primes").lines().map(|line| line.parse::<BigUint>().unwrap());
        let primes: Vec<BigUint> = primes.collect();
        KeyPair::of(<[BigUint; 2]>::try_from(primes).unwrap()).unwrap()
    }

    /// What a client does: OAEP with SHA-1 and the public key.
    pub(crate) fn encrypt(pair: &KeyPair, message: &[u8]) -> Vec<u8> {
        let length = pair.modulus.bits().div_ceil(8) as usize;
        let padding = vec![0; length - 2 * HASH - 2 - message.len()];
        seal(pair, 0, [&Sha1::digest([])[..], &padding, &[1], message].concat())
    }

    /// A block with its masks, and a first byte, encrypted.
    fn seal(pair: &KeyPair, first: u8, mut block: Vec<u8>) -> Vec<u8> {
        let length = block.len() + HASH + 1;
        let mut seed = [0; HASH];
        getrandom::fill(&mut seed).unwrap();
        mask(&mut block, &seed);
        mask(&mut seed, &block);
        let padded = BigUint::from_bytes_be(&[&[first][..], &seed, &block].concat());
        let sealed = padded.modpow(&pair.exponent, &pair.modulus).to_bytes_be();
        [vec![0; length - sealed.len()], sealed].concat()
    }

    #[test]
    fn what_is_encrypted_comes_back() {
        let pair = pair();
        for message in [&b""[..], b"x", b"secret\0", &[0; 214], &[0xff; 214]] {
            assert_eq!(pair.decrypt(&encrypt(&pair, message)), Ok(Some(message.to_vec())));
        }
    }

    #[test]
    fn the_library_of_a_client_is_understood() {
        let pair = pair();
        let sealed = mysql_common_rsa(&pair, b"secret\0");
        assert_eq!(pair.decrypt(&sealed), Ok(Some(b"secret\0".to_vec())));
    }

    #[test]
    fn wrong_padding_is_refused_wherever_it_is() {
        let pair = pair();
        let label = Sha1::digest([]).to_vec();
        let rest = 256 - 1 - 2 * HASH;
        let good = [label.clone(), vec![0; rest - 2], vec![1, b'x']].concat();
        assert_eq!(pair.decrypt(&seal(&pair, 0, good.clone())), Ok(Some(b"x".to_vec())));
        assert_eq!(pair.decrypt(&seal(&pair, 1, good.clone())), Ok(None), "the first byte");
        let mut other_label = good.clone();
        other_label[3] ^= 1;
        assert_eq!(pair.decrypt(&seal(&pair, 0, other_label)), Ok(None), "the label");
        let mut other_mark = good;
        other_mark[100] = 2;
        assert_eq!(pair.decrypt(&seal(&pair, 0, other_mark)), Ok(None), "the mark");
        assert_eq!(pair.decrypt(&seal(&pair, 0, [label, vec![0; rest]].concat())), Ok(None), "no mark");
        for not_one in [vec![], vec![0; 256], vec![0xff; 256], vec![1; 255], vec![1; 257]] {
            assert_eq!(pair.decrypt(&not_one), Ok(None));
        }
    }

    #[test]
    fn a_pair_is_written_and_read_back() {
        use rustls::pki_types::PrivatePkcs1KeyDer;
        use rustls::pki_types::pem::PemObject as _;
        let pair = pair();
        let text = pair.private_pem();
        let der = PrivatePkcs1KeyDer::from_pem_slice(text.as_bytes()).unwrap();
        let der = der.secret_pkcs1_der();
        let read = KeyPair::from_pkcs1(der).unwrap();
        assert_eq!((read.public_pem(), read.private_pem()), (pair.public_pem(), text));
        // Another library agrees that it is one.
        ring::signature::RsaKeyPair::from_der(der).unwrap();
        assert_eq!(format!("{pair:?}"), "KeyPair(2048 bits)");
        for cut in [0, 1, 10, der.len() / 2, der.len() - 1] {
            assert_eq!(KeyPair::from_pkcs1(&der[..cut]).unwrap_err(), RsaError::NotAKey, "cut to {cut}");
        }
        for place in [8, 300, 600, der.len() - 1] {
            let mut other = der.to_vec();
            other[place] ^= 1;
            assert_eq!(KeyPair::from_pkcs1(&other).unwrap_err(), RsaError::NotAKey, "changed at {place}");
        }
    }

    #[test]
    fn primes_are_told_from_what_is_none() {
        let is_prime = |number: u64| is_prime(&BigUint::from(number)).unwrap();
        let primes = [5, 7, 65_537, 4_294_967_291, (1 << 61) - 1];
        assert!(primes.into_iter().all(is_prime));
        // Carmichael numbers, a strong pseudoprime to the bases 2 and 3, and a square.
        let others = [9, 561, 1_373_653, 341_550_071_728_321, 65_537 * 65_537];
        assert!(!others.into_iter().any(is_prime));
        let prime = random_prime(128).unwrap();
        assert_eq!((prime.bits(), prime.bit(126)), (128, true));
        assert_eq!(small_primes()[..4], [3, 5, 7, 11]);
    }

    fn mysql_common_rsa(pair: &KeyPair, message: &[u8]) -> Vec<u8> {
        mysql_common::crypto::encrypt(message, pair.public_pem().as_bytes())
    }
}
