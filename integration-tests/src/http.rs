//! As much HTTP as asking a health check and reading metrics takes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code, e.g. 200.
    pub status: u16,
    /// Head and body as text.
    pub text: String,
}

/// `GET path`.
///
/// # Errors
///
/// When nobody answers, or not in HTTP.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.map(|status| Answer { status, text }).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

/// Samples of a metrics page: name with labels, as printed, to value.
///
/// # Errors
///
/// When nobody answers, or not with 200.
pub fn metrics(address: SocketAddr) -> std::io::Result<BTreeMap<String, f64>> {
    let answer = get(address, "/metrics")?;
    if answer.status != 200 {
        return Err(std::io::Error::other(format!("/metrics answered {}", answer.status)));
    }
    Ok(samples(&answer.text))
}

/// Sum of all samples of a family.
pub fn total(samples: &BTreeMap<String, f64>, family: &str) -> f64 {
    samples.iter().filter(|(name, _)| name.split('{').next() == Some(family)).map(|(_, value)| value).sum()
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim_end().rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_added_over_labels() {
        let page = "# HELP a_total x\na_total{k=\"1\"} 2\na_total{k=\"2 3\"} 3\nab_total 9\n";
        assert_eq!(total(&samples(page), "a_total"), 5.0);
    }
}
