//! The types a setting can have: how each is written in TOML and read from it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// How a setting is written in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string.
    Text,
    /// A string, or a plain integer.
    TextOrInteger,
    /// An integer.
    Integer,
    /// An integer or a float.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A type of a setting.
pub trait Setting: Clone + PartialEq + PartialOrd + 'static {
    /// How it is written in TOML.
    const FORM: Form;
    /// What a right value is, for messages and the documentation: `a duration such as "5s"`.
    const EXPECTED: &'static str;

    /// The value of a text (of a number: its decimal digits); `None` if it is not [`Setting::EXPECTED`].
    fn from_text(text: &str) -> Option<Self>;

    /// The text that [`Setting::from_text`] reads as this value.
    fn to_text(&self) -> String;
}

macro_rules! integer {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            const FORM: Form = Form::Integer;
            const EXPECTED: &'static str = "a whole number";

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

integer!(u16, u32, u64, usize);

impl Setting for f64 {
    const FORM: Form = Form::Number;
    const EXPECTED: &'static str = "a number";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn to_text(&self) -> String {
        format!("{self:?}")
    }
}

impl Setting for bool {
    const FORM: Form = Form::Boolean;
    const EXPECTED: &'static str = "true or false";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "text";

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

/// Units of durations in microseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

impl Setting for Duration {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "a duration such as \"250ms\", \"5s\", \"1m\" or \"8h\"";

    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let (_, micros) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(micros).map(Duration::from_micros)
    }

    fn to_text(&self) -> String {
        let micros = u64::try_from(self.as_micros()).unwrap_or(u64::MAX);
        let (unit, size) =
            DURATION_UNITS.into_iter().find(|(_, size)| micros.is_multiple_of(*size)).unwrap_or(("us", 1));
        if micros == 0 { "0s".to_owned() } else { format!("{}{unit}", micros / size) }
    }
}

/// `None` is written "off".
impl Setting for Option<Duration> {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "a duration such as \"250ms\" or \"5s\", or \"off\"";

    fn from_text(text: &str) -> Option<Self> {
        if text == "off" { Some(None) } else { Duration::from_text(text).map(Some) }
    }

    fn to_text(&self) -> String {
        self.map_or_else(|| "off".to_owned(), |duration| duration.to_text())
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(usize);

impl Size {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

/// Units of sizes, the largest first.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Setting for Size {
    const FORM: Form = Form::TextOrInteger;
    const EXPECTED: &'static str = "a size such as \"64KiB\", \"16MiB\" or \"1GiB\"";

    fn from_text(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let (_, bytes) = SIZE_UNITS.into_iter().find(|(name, _)| *name == if unit.is_empty() { "B" } else { unit })?;
        usize::try_from(number.checked_mul(bytes)?).ok().map(Self)
    }

    fn to_text(&self) -> String {
        let bytes = self.0 as u64;
        let (unit, size) = SIZE_UNITS.into_iter().find(|(_, size)| bytes.is_multiple_of(*size)).unwrap_or(("B", 1));
        if bytes == 0 { "0B".to_owned() } else { format!("{}{unit}", bytes / size) }
    }
}

/// `12ms` -> 12 and `ms`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// Where to listen: `HOST:PORT`. Port 0 is any free one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The host: a name or an IP address (IPv6 without brackets).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can reach it. A name other than `localhost` may be anything, so that it is not.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Whether nobody can listen on both at once. Names other than `localhost` are compared as they are written.
    pub fn overlaps(&self, other: &Self) -> bool {
        let host =
            |address: &Self| if address.host == "localhost" { "127.0.0.1".to_owned() } else { address.host.clone() };
        let is_any = |address: &Self| address.host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
        self.port != 0 && self.port == other.port && (host(self) == host(other) || is_any(self) || is_any(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text).ok_or_else(|| format!("expected {}", Self::EXPECTED))
    }
}

impl Setting for Address {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "HOST:PORT, e.g. \"127.0.0.1:3307\" or \"[::1]:3307\"";

    fn from_text(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let (host, is_host) = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(inner) => (inner?, inner?.parse::<Ipv6Addr>().is_ok()),
            None => (host, !host.is_empty() && host.chars().all(named)),
        };
        // `+1` and ` 1` are numbers to Rust's parser, not ports.
        let is_port = port.bytes().all(|b| b.is_ascii_digit());
        (is_host && is_port).then_some(())?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $expected:literal { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl Setting for $name {
            const FORM: Form = Form::Text;
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                [$(Self::$value),+].into_iter().find(|value| value.to_text() == text)
            }

            fn to_text(&self) -> String {
                match self {
                    $(Self::$value => $text,)+
                }
                .to_owned()
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::from_text(text).ok_or_else(|| format!("expected {}", Self::EXPECTED))
            }
        }
    };
}

choice! {
    /// How log lines look.
    LogFormat, "\"text\" or \"json\"" {
        /// For people.
        Text = "text",
        /// For machines: one JSON object a line.
        Json = "json",
    }
}

choice! {
    /// Which log lines are written: those of this level and of the graver ones.
    LogLevel, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        /// What needs somebody.
        Error = "error",
        /// What may need somebody.
        Warn = "warn",
        /// What happened.
        Info = "info",
        /// What was decided.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

choice! {
    /// What the slow-query log shows of a statement's literals.
    Literals, "\"masked\" or \"shown\"" {
        /// `?` in their place: bodies and keys are personal data.
        Masked = "masked",
        /// Themselves.
        Shown = "shown",
    }
}
