//! Lists of addresses and networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::setting::{Form, Setting};

/// Addresses and networks; none of them, or some.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Networks(Vec<Network>);

/// The addresses that begin with the first `prefix` bits of `address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

const NONE: &str = "none";

impl Networks {
    /// Whether an address is in one of them. IPv4 addresses are the same in IPv6's clothes.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address.to_canonical()))
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(of), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(Ipv4Addr::BITS - self.prefix).unwrap_or(0);
                of.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(of), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(Ipv6Addr::BITS - self.prefix).unwrap_or(0);
                of.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = match address {
            IpAddr::V4(_) => Ipv4Addr::BITS,
            IpAddr::V6(_) => Ipv6Addr::BITS,
        };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Setting for Networks {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str =
        "\"none\", or addresses and networks with commas between, e.g. \"10.0.0.7, 192.168.0.0/16\"";

    fn from_text(text: &str) -> Option<Self> {
        if text == NONE {
            return Some(Self::default());
        }
        text.split(',').map(|part| Network::from_text(part.trim())).collect::<Option<_>>().map(Self)
    }

    fn to_text(&self) -> String {
        if self.0.is_empty() {
            return NONE.to_owned();
        }
        self.0.iter().map(Network::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_networks_only() {
        let networks = Networks::from_text("10.0.0.7, 192.168.0.0/16,fd00::/8").unwrap();
        for (address, within) in [
            ("10.0.0.7", true),
            ("::ffff:10.0.0.7", true),
            ("10.0.0.8", false),
            ("192.168.255.1", true),
            ("192.169.0.1", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(networks.contains(address.parse().unwrap()), within, "{address}");
        }
        let all = Networks::from_text("0.0.0.0/0").unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        assert!(!Networks::from_text("none").unwrap().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_list_reads_back_as_itself_and_what_is_no_network_is_refused() {
        for text in ["none", "10.0.0.7/32, ::1/128", "0.0.0.0/0"] {
            assert_eq!(Networks::from_text(text).unwrap().to_text(), text);
        }
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.1,", "10.0.0.1/-1", "10.0.0.1/x"] {
            assert_eq!(Networks::from_text(text), None, "{text}");
        }
    }
}
