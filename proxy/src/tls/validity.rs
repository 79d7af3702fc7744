//! Until when a certificate is good. That is in it, and the TLS library does not look at a server's own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cellgate_schemaless::calendar::{Civil, SECOND};
use rustls::pki_types::CertificateDer;

use crate::der::{tag, take};

/// How long before its end the log begins to tell of it.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// What is to be said of a certificate's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// Nothing.
    Lasting,
    /// It comes within [`SOON`].
    EndsSoon,
    /// It is past: clients that verify the certificate refuse it.
    Ended,
}

impl Validity {
    /// Of a certificate that is good until `end`, in seconds since 1970.
    pub(super) fn at(now: SystemTime, end: i64) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = i128::from(end) - i128::from(now.as_secs());
        match left {
            ..0 => Self::Ended,
            _ if left < i128::from(SOON.as_secs()) => Self::EndsSoon,
            _ => Self::Lasting,
        }
    }
}

/// Until when all certificates of a chain are good, in seconds since 1970; `None` if none of them says so readably.
pub(super) fn end_of(chain: &[CertificateDer<'_>]) -> Option<i64> {
    chain.iter().filter_map(|certificate| not_after(certificate)).min()
}

/// `notAfter` of an X.509 certificate (RFC 5280, 4.1).
fn not_after(certificate: &[u8]) -> Option<i64> {
    let mut certificate = take(&mut &*certificate, tag::SEQUENCE)?;
    let mut fields = take(&mut certificate, tag::SEQUENCE)?;
    // Missing in version 1.
    let _version = take(&mut fields, tag::VERSION);
    take(&mut fields, tag::INTEGER)?;
    let (_algorithm, _issuer) = (take(&mut fields, tag::SEQUENCE)?, take(&mut fields, tag::SEQUENCE)?);
    let mut validity = take(&mut fields, tag::SEQUENCE)?;
    let (_not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    Some(not_after)
}

/// A time in one of its two forms: years of two digits are those from 1950 to 2049.
fn time(bytes: &mut &[u8]) -> Option<i64> {
    let (century, digits) = match take(bytes, tag::UTC_TIME) {
        Some(text) => (None, text),
        None => take(bytes, tag::GENERALIZED_TIME)?.split_at_checked(2).map(|(high, rest)| (Some(high), rest))?,
    };
    let digits = digits.strip_suffix(b"Z").filter(|digits| digits.len() == 12)?;
    let two = |digits: &[u8]| match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        _ => None,
    };
    let mut pairs = digits.chunks(2).map(two);
    let mut next = || pairs.next().flatten();
    let year = next()?;
    let century = match century {
        Some(century) => two(century)?,
        None if year < 50 => 20,
        None => 19,
    };
    let at = Civil {
        year: century * 100 + year,
        month: next()?,
        day: next()?,
        hour: next()?,
        minute: next()?,
        second: next()?,
        micros: 0,
    };
    Some(at.micros()?.0.div_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::der;

    #[test]
    fn times_are_read_in_both_forms() {
        let read = |tag, text: &[u8]| time(&mut &der(tag, &[text])[..]);
        assert_eq!(read(tag::UTC_TIME, b"700101000001Z"), Some(1));
        assert_eq!(read(tag::UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(tag::UTC_TIME, b"500101000000Z"), Some(-631_152_000));
        assert_eq!(read(tag::GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799));
        for wrong in
            [&b"7001010000Z"[..], b"700101000001", b"70010100000xZ", b"701301000000Z", b"700101000001+0100", b""]
        {
            assert_eq!(read(tag::UTC_TIME, wrong), None, "{wrong:?}");
        }
        assert_eq!(read(tag::GENERALIZED_TIME, b"9"), None);
        assert_eq!(read(tag::INTEGER, b"700101000001Z"), None);
    }

    #[test]
    fn the_end_of_a_certificate_that_openssl_made_is_found_and_what_is_cut_short_has_none() {
        let certificate = include_bytes!("../wire/testdata/cert.der");
        // notAfter=Oct 30 23:30:08 2126 GMT
        assert_eq!(not_after(certificate), Some(4_949_076_608));
        for length in 0..certificate.len() {
            assert_eq!(not_after(&certificate[..length]), None, "cut to {length}");
        }
    }

    #[test]
    fn an_end_is_told_of_two_weeks_before_it() {
        let now = UNIX_EPOCH + Duration::from_secs(100 * 86_400);
        let at = |days: i64| Validity::at(now, days * 86_400);
        assert_eq!([-1, 99, 100, 113, 114].map(at), {
            use Validity::{Ended, EndsSoon, Lasting};
            [Ended, Ended, EndsSoon, EndsSoon, Lasting]
        });
    }
}
