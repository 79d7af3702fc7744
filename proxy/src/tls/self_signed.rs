//! A certificate of a proxy's own, for the first start: P-256, signed by itself, good for this machine's names.
//!
//! It encrypts; it proves nothing to a client that has not been given it as an authority.

use std::net::IpAddr;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use crate::der::{bits, der, oid, pem, tag};

/// The crypto library could not make a key or a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made")]
pub(super) struct KeyFailure;

/// A certificate and its key, both in PEM.
pub(super) struct SelfSigned {
    pub(super) certificate: String,
    pub(super) key: String,
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
