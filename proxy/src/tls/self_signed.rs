//! A certificate of a proxy's own, for the first start: P-256, signed by itself, good for this machine's names.
//!
//! It encrypts; it proves nothing to a client that has not been given it as an authority. A library for certificates
//! would be a score of packages for one fixed form, so that the form is written out here.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// The crypto library could not make a key or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made")]
pub(super) struct KeyFailure;

/// A certificate and its key, both in PEM.
pub(super) struct SelfSigned {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// DER's tags.
mod tag {
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OBJECT_ID: u8 = 0x06;
    pub(super) const UTF8_STRING: u8 = 0x0c;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    /// `[0]`: the version; `[3]`: the extensions.
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    /// Within subjectAltName: `[2]` a name, `[7]` an address.
    pub(super) const DNS_NAME: u8 = 0x82;
    pub(super) const IP_ADDRESS: u8 = 0x87;
}

/// Object identifiers, in DER without their heads.
mod id {
    /// 1.2.840.10045.4.3.2
    pub(super) const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    /// 1.2.840.10045.2.1
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    /// 1.2.840.10045.3.1.7
    pub(super) const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// 2.5.4.3
    pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    /// 2.5.29.17
    pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    /// 2.5.29.19
    pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
}

/// X.509 version 3, counted from 0.
const VERSION_3: &[u8] = &[2];
const COMMON_NAME: &[u8] = b"Cellgate self-signed";
const NOT_BEFORE: &[u8] = b"200101000000Z";
/// What RFC 5280 has for "does not end".
const NOT_AFTER: &[u8] = b"99991231235959Z";

impl SelfSigned {
    /// Makes one for these names and addresses.
    pub(super) fn generate(names: &[&str], addresses: &[IpAddr]) -> Result<Self, KeyFailure> {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| KeyFailure)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random)
            .map_err(|_| KeyFailure)?;
        let mut serial = [0; 16];
        random.fill(&mut serial).map_err(|_| KeyFailure)?;
        // Positive, and with no zero byte in front: what DER has for a number of sixteen bytes.
        serial[0] = serial[0] & 0x7f | 0x40;
        let body = to_be_signed(&serial, pair.public_key().as_ref(), names, addresses);
        let signature = pair.sign(&random, &body).map_err(|_| KeyFailure)?;
        let certificate = der(tag::SEQUENCE, &[&body, &algorithm(), &bits(signature.as_ref())]);
        Ok(Self { certificate: pem("CERTIFICATE", &certificate), key: pem("PRIVATE KEY", document.as_ref()) })
    }
}

fn to_be_signed(serial: &[u8], public_key: &[u8], names: &[&str], addresses: &[IpAddr]) -> Vec<u8> {
    let version = der(tag::VERSION, &[&der(tag::INTEGER, &[VERSION_3])]);
    let common_name = der(tag::SEQUENCE, &[&oid(id::COMMON_NAME), &der(tag::UTF8_STRING, &[COMMON_NAME])]);
    let name = der(tag::SEQUENCE, &[&der(tag::SET, &[&common_name])]);
    let validity = der(tag::SEQUENCE, &[&der(tag::UTC_TIME, &[NOT_BEFORE]), &der(tag::GENERALIZED_TIME, &[NOT_AFTER])]);
    let key_kind = der(tag::SEQUENCE, &[&oid(id::EC_PUBLIC_KEY), &oid(id::PRIME256V1)]);
    let key = der(tag::SEQUENCE, &[&key_kind, &bits(public_key)]);
    let mut alternatives: Vec<Vec<u8>> = names.iter().map(|name| der(tag::DNS_NAME, &[name.as_bytes()])).collect();
    alternatives.extend(addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => der(tag::IP_ADDRESS, &[&v4.octets()]),
        IpAddr::V6(v6) => der(tag::IP_ADDRESS, &[&v6.octets()]),
    }));
    let alternatives = der(tag::SEQUENCE, &[&alternatives.concat()]);
    let extensions = [
        der(tag::SEQUENCE, &[&oid(id::SUBJECT_ALT_NAME), &der(tag::OCTET_STRING, &[&alternatives])]),
        // No authority: an empty sequence, and critical, so that nobody takes it for one.
        der(
            tag::SEQUENCE,
            &[
                &oid(id::BASIC_CONSTRAINTS),
                &der(tag::BOOLEAN, &[&[0xff]]),
                &der(tag::OCTET_STRING, &[&der(tag::SEQUENCE, &[])]),
            ],
        ),
    ];
    let extensions = der(tag::EXTENSIONS, &[&der(tag::SEQUENCE, &[&extensions.concat()])]);
    let serial = der(tag::INTEGER, &[serial]);
    der(tag::SEQUENCE, &[&version, &serial, &algorithm(), &name, &validity, &name, &key, &extensions])
}

fn algorithm() -> Vec<u8> {
    der(tag::SEQUENCE, &[&oid(id::ECDSA_WITH_SHA256)])
}

fn oid(id: &[u8]) -> Vec<u8> {
    der(tag::OBJECT_ID, &[id])
}

/// A bit string of whole bytes.
fn bits(bytes: &[u8]) -> Vec<u8> {
    der(tag::BIT_STRING, &[&[0], bytes])
}

/// Tag, length and content.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let significant = &bytes[length.leading_zeros() as usize / 8..];
        out.push(0x80 | significant.len() as u8);
        out.extend_from_slice(significant);
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// The text form of a certificate or key: base64 in lines of 64.
fn pem(label: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = &STANDARD.encode(bytes)[..];
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_short_form_as_long_as_they_can() {
        assert_eq!(der(4, &[&[1, 2], &[3]]), [4, 3, 1, 2, 3]);
        assert_eq!(der(4, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(der(4, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(der(4, &[&[0; 256]])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn pem_lines_have_64_characters() {
        let text = pem("X", &[0; 49]);
        assert_eq!(text, format!("-----BEGIN X-----\n{}\nAA==\n-----END X-----\n", "A".repeat(64)));
    }
}
