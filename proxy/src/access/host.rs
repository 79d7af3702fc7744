//! The host of an account: which clients it matches, and which of several hosts matches best.
//!
//! Host names are not looked up: a client is `localhost` (this machine) or its address. What could never match is
//! refused when an account is made, see [`HostPattern::parse`].

use std::cmp::{Ordering, Reverse};
use std::net::IpAddr;

use crate::pattern;

/// How a client from this machine is called.
const LOCALHOST: &str = "localhost";
/// The addresses it may have.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];

/// The host part of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `localhost`, `10.0.0.1`.
    Exact,
    /// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`.
    Subnet { network: IpAddr, prefix: u8 },
    /// With `%` or `_`; how many bytes stand before the first of them.
    Pattern { fixed: usize },
}

impl HostPattern {
    /// Reads a host; `None` if no client can ever come from there.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = if let Some((network, mask)) = text.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let prefix = prefix_of(network, mask)?;
            Kind::Subnet { network, prefix }
        } else if let Some(fixed) = text.find(['%', '_']) {
            let of_address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'%' | b'_');
            if !text.bytes().all(of_address) && !pattern::matches(text, LOCALHOST) {
                return None;
            }
            Kind::Pattern { fixed }
        } else if text == LOCALHOST || text.parse::<IpAddr>().is_ok() {
            Kind::Exact
        } else {
            return None;
        };
        Some(Self { text: text.to_owned(), kind })
    }

    /// `%`
    pub fn anywhere() -> Self {
        Self { text: "%".to_owned(), kind: Kind::Pattern { fixed: 0 } }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a client from there is meant: `localhost` or an address.
    pub fn matches(&self, host: &str) -> bool {
        if host == LOCALHOST {
            return self.matches_one(LOCALHOST) || LOOPBACK.iter().any(|address| self.matches_one(address));
        }
        self.matches_one(host)
    }

    fn matches_one(&self, host: &str) -> bool {
        match &self.kind {
            Kind::Exact if self.text == host => true,
            // Other spellings of one address.
            Kind::Exact => match (self.text.parse::<IpAddr>(), host.parse::<IpAddr>()) {
                (Ok(own), Ok(other)) => own == other,
                (Ok(_) | Err(_), _) => false,
            },
            Kind::Subnet { network, prefix } => host.parse().is_ok_and(|host| same_subnet(*network, host, *prefix)),
            Kind::Pattern { .. } => pattern::matches(&self.text, host),
        }
    }

    /// Less is more specific: exact hosts, then subnets by length, then patterns by what stands before their first
    /// wildcard, as MySQL sorts them.
    pub fn specificity(&self, other: &Self) -> Ordering {
        let rank = |host: &Self| match host.kind {
            Kind::Exact => (0, Reverse(0)),
            Kind::Subnet { prefix, .. } => (1, Reverse(usize::from(prefix))),
            Kind::Pattern { fixed } => (2, Reverse(fixed)),
        };
        // `localhost` before its addresses, and a fixed order for the rest.
        let this_machine = |host: &Self| host.text != LOCALHOST;
        (rank(self), this_machine(self), Reverse(self.text.len()), &self.text).cmp(&(
            rank(other),
            this_machine(other),
            Reverse(other.text.len()),
            &other.text,
        ))
    }
}

/// How many bits of an address count: `8`, or `255.0.0.0` of an IPv4 network.
fn prefix_of(network: IpAddr, mask: &str) -> Option<u8> {
    let bits = if network.is_ipv4() { 32 } else { 128 };
    if let Ok(prefix) = mask.parse::<u8>() {
        return (prefix <= bits).then_some(prefix);
    }
    let mask: std::net::Ipv4Addr = mask.parse().ok().filter(|_| network.is_ipv4())?;
    let mask = u32::from(mask);
    let prefix = mask.leading_ones();
    (mask.count_ones() == prefix).then(|| u8::try_from(prefix).unwrap_or(32))
}

fn same_subnet(network: IpAddr, host: IpAddr, prefix: u8) -> bool {
    let shift = |bits: u32| bits - u32::from(prefix);
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => {
            let differing = u32::from(network) ^ u32::from(host);
            differing.checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(host)) => {
            let differing = u128::from(network) ^ u128::from(host);
            differing.checked_shr(shift(128)).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_host_matches_the_clients_it_names_and_no_others() {
        for (pattern, matched, others) in [
            ("%", &["localhost", "10.0.0.1", "::2"][..], &[][..]),
            ("localhost", &["localhost"], &["10.0.0.1", "127.0.0.2"]),
            ("127.0.0.1", &["localhost", "127.0.0.1"], &["127.0.0.2"]),
            ("::1", &["localhost"], &["::2"]),
            ("0:0:0:0:0:0:0:2", &["::2"], &["::3"]),
            ("10.%", &["10.0.0.1", "10.255.1.1"], &["110.0.0.1", "localhost"]),
            ("10.0.0._", &["10.0.0.1"], &["10.0.0.10"]),
            ("10.0.0.0/8", &["10.1.2.3"], &["11.0.0.1", "localhost"]),
            ("10.1.0.0/255.255.0.0", &["10.1.2.3"], &["10.2.0.1"]),
            ("0.0.0.0/0", &["1.2.3.4", "localhost"], &["::2"]),
            ("fd00::/8", &["fd12::1"], &["fe80::1", "10.0.0.1"]),
            ("10.0.0.7/32", &["10.0.0.7"], &["10.0.0.6"]),
        ] {
            for client in matched {
                assert!(host(pattern).matches(client), "{pattern} {client}");
            }
            for client in others {
                assert!(!host(pattern).matches(client), "{pattern} {client}");
            }
        }
    }

    #[test]
    fn what_can_never_match_is_no_host() {
        for text in ["app.example.com", "%.example.com", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "fd00::/255.0.0.0", "x"]
        {
            assert_eq!(HostPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_most_specific_host_comes_first() {
        let sorted = ["localhost", "127.0.0.1", "10.0.0.0/24", "10.0.0.0/8", "192.168.%", "10.%", "%"];
        let mut hosts: Vec<HostPattern> = sorted.iter().rev().map(|text| host(text)).collect();
        hosts.sort_by(HostPattern::specificity);
        assert_eq!(hosts.iter().map(HostPattern::as_str).collect::<Vec<_>>(), sorted);
    }
}
