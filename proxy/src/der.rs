//! DER and PEM, as far as certificates and keys of this program's own need them: written out, and keys read back.
//!
//! A library for certificates would be a score of packages for a few fixed forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// DER's tags.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_ID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[0]`: the version; `[3]`: the extensions.
    pub(crate) const VERSION: u8 = 0xa0;
    pub(crate) const EXTENSIONS: u8 = 0xa3;
    /// Within subjectAltName: `[2]` a name, `[7]` an address.
    pub(crate) const DNS_NAME: u8 = 0x82;
    pub(crate) const IP_ADDRESS: u8 = 0x87;
}

/// Tag, length and content.
pub(crate) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
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

/// An object identifier of these bytes.
pub(crate) fn oid(id: &[u8]) -> Vec<u8> {
    der(tag::OBJECT_ID, &[id])
}

/// A bit string of whole bytes.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    der(tag::BIT_STRING, &[&[0], bytes])
}

/// A number that is not negative, of its bytes with the highest first.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    // A zero byte in front keeps it from being read as a negative one, and makes zero one byte long.
    match significant.first() {
        Some(first) if first & 0x80 == 0 => der(tag::INTEGER, &[significant]),
        Some(_) | None => der(tag::INTEGER, &[&[0], significant]),
    }
}

/// The text form of a certificate or key: base64 in lines of 64.
pub(crate) fn pem(label: &str, bytes: &[u8]) -> String {
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

/// Takes what is in front, if it has that tag: its content.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Nothing here is as long as three bytes can say.
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 3)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
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
    fn numbers_are_short_and_never_negative() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 127]), [2, 1, 127]);
        assert_eq!(unsigned(&[128]), [2, 2, 0, 128]);
    }

    #[test]
    fn what_is_written_is_read_back_and_what_is_cut_short_is_not() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let written = der(tag::OCTET_STRING, &[&vec![7; length]]);
            let mut rest = &[&written[..], b"rest"].concat()[..];
            assert_eq!(take(&mut rest, tag::OCTET_STRING), Some(&vec![7; length][..]));
            assert_eq!(rest, b"rest");
            assert_eq!(take(&mut &written[..], tag::INTEGER), None);
            for cut in [0, 1, written.len() - 1].into_iter().filter(|cut| *cut < written.len()) {
                assert_eq!(take(&mut &written[..cut], tag::OCTET_STRING), None, "{length} cut to {cut}");
            }
        }
        assert_eq!(take(&mut &[4, 0xff, 1, 1][..], 4), None);
        assert_eq!(take(&mut &[4, 0x84, 0, 0, 0, 1, 9][..], 4), None);
    }

    #[test]
    fn pem_lines_have_64_characters() {
        let text = pem("X", &[0; 49]);
        assert_eq!(text, format!("-----BEGIN X-----\n{}\nAA==\n-----END X-----\n", "A".repeat(64)));
    }
}
