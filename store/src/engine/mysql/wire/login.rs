//! From an address to a connection that takes commands.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::channel::Channel;
use super::connection::Connection;
use super::error::{ERROR, LoginError, ServerError, WireError};
use super::fields::Fields;
use super::greeting::{Greeting, Login};
use super::link::Link;
use super::{rsa, scramble};

/// Where a server is, and as whom to log in.
pub(in crate::engine::mysql) struct Target<'a> {
    pub(in crate::engine::mysql) host: &'a str,
    pub(in crate::engine::mysql) port: u16,
    pub(in crate::engine::mysql) user: &'a str,
    pub(in crate::engine::mysql) password: &'a str,
    /// The database to be in; it must exist.
    pub(in crate::engine::mysql) database: Option<&'a str>,
    pub(in crate::engine::mysql) encryption: &'a Encryption,
    /// How long connecting may take.
    pub(in crate::engine::mysql) connect: Duration,
}

/// Whether the way is encrypted.
#[derive(Clone)]
pub(in crate::engine::mysql) enum Encryption {
    /// It is not.
    None,
    /// It is, or there is no connection.
    Tls(Arc<ClientConfig>),
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Tls(_) => "Tls",
        })
    }
}

/// A way to prove a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plugin {
    Native,
    Sha2,
}

/// First byte of a packet of the plugin's own.
const PLUGIN_DATA: u8 = 0x01;

/// First byte of a packet that asks for another plugin.
const SWITCH: u8 = 0xfe;

/// What `caching_sha2_password` says in a packet of its own.
mod sha2 {
    /// The server knew the password, and the proof was right.
    pub(super) const RIGHT: u8 = 0x03;
    /// The server has only a slow hash of the password: it wants the password.
    pub(super) const PASSWORD: u8 = 0x04;
    /// Our question for the server's key.
    pub(super) const KEY: u8 = 0x02;
}

/// Most packets between login and its outcome: a server that goes on for longer will never end.
const PACKETS: u8 = 8;

impl Plugin {
    fn named(name: &[u8]) -> Result<Self, LoginError> {
        match name {
            b"mysql_native_password" => Ok(Self::Native),
            b"caching_sha2_password" => Ok(Self::Sha2),
            other => Err(LoginError::Plugin { name: String::from_utf8_lossy(other).into_owned() }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::Sha2 => "caching_sha2_password",
        }
    }

    fn proof(self, nonce: &[u8], password: &str) -> Vec<u8> {
        match self {
            Self::Native => scramble::native(nonce, password.as_bytes()),
            Self::Sha2 => scramble::sha2(nonce, password.as_bytes()),
        }
    }
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Of the network, of the server, and [`WireError::Login`] for what we do not do.
    pub(in crate::engine::mysql) async fn open(target: &Target<'_>) -> Result<Self, WireError> {
        Self::over(Link::connect(target.host, target.port, target.connect).await?, target).await
    }

    /// Logs in over a link.
    pub(super) async fn over(link: Link, target: &Target<'_>) -> Result<Self, WireError> {
        let mut channel = Channel::new(link);
        let greeting = Greeting::read(&channel.next().await?)?;
        let tls = match target.encryption {
            Encryption::None => false,
            Encryption::Tls(config) => {
                channel = encrypt(channel, &greeting, target, config).await?;
                true
            }
        };
        // A plugin that we do not have is answered with one that we have; the server then asks for the user's.
        let plugin = Plugin::named(&greeting.plugin).unwrap_or(Plugin::Native);
        let proof = plugin.proof(&greeting.nonce, target.password);
        let login = Login { user: target.user, proof: &proof, plugin: plugin.name(), database: target.database, tls };
        channel.packet(|out| greeting.write_login(out, &login));
        channel.send().await?;
        prove(&mut channel, plugin, greeting.nonce.clone(), target.password).await?;
        channel.rest()?;
        Ok(Self::new(channel, greeting.shape(), greeting.id))
    }
}

/// Goes on over TLS.
async fn encrypt(
    mut channel: Channel,
    greeting: &Greeting,
    target: &Target<'_>,
    config: &Arc<ClientConfig>,
) -> Result<Channel, WireError> {
    if !greeting.offers_tls() {
        return Err(LoginError::NoTls.into());
    }
    let name =
        ServerName::try_from(target.host.to_owned()).map_err(|_| LoginError::Host { host: target.host.to_owned() })?;
    channel.packet(|out| greeting.write_tls(out, target.database.is_some()));
    channel.send().await?;
    // Whatever comes before the encryption begins was not said by the server that we are about to identify.
    let (link, number) = channel.into_link().ok_or(WireError::Malformed("greeting: something is behind it"))?;
    let stream = match link {
        Link::Plain(stream) => stream,
        Link::Tls(_) => return Err(WireError::Malformed("greeting: it is encrypted already")),
        #[cfg(test)]
        Link::Pipe(_) => return Err(WireError::Malformed("greeting: a pipe is not encrypted")),
    };
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    Ok(Channel::new(Link::Tls(Box::new(stream))).numbered(number))
}

/// Answers what the server asks until it lets us in.
async fn prove(channel: &mut Channel, mut plugin: Plugin, mut nonce: Vec<u8>, password: &str) -> Result<(), WireError> {
    for _ in 0..PACKETS {
        let packet = channel.next().await?;
        match packet.as_slice() {
            [0, ..] => return Ok(()),
            [ERROR, ..] => return Err(ServerError::read(&packet)?.into()),
            [SWITCH, rest @ ..] => {
                let mut fields = Fields::new(rest, "question for another login plugin");
                plugin = Plugin::named(fields.until_zero()?)?;
                nonce = fields.rest().strip_suffix(&[0]).unwrap_or(fields.rest()).to_vec();
                let proof = plugin.proof(&nonce, password);
                channel.packet(|out| out.extend_from_slice(&proof));
                channel.send().await?;
            }
            [PLUGIN_DATA, sha2::RIGHT] if plugin == Plugin::Sha2 => {}
            [PLUGIN_DATA, sha2::PASSWORD] if plugin == Plugin::Sha2 => {
                let mut word = password.as_bytes().to_vec();
                word.push(0);
                if !channel.link().is_encrypted() {
                    channel.packet(|out| out.push(sha2::KEY));
                    channel.send().await?;
                    let packet = channel.next().await?;
                    let [PLUGIN_DATA, pem @ ..] = packet.as_slice() else {
                        return Err(WireError::Malformed("RSA key"));
                    };
                    let key = rsa::PublicKey::from_pem(pem).ok_or(LoginError::Key)?;
                    let mut seed = [0; rsa::SEED];
                    getrandom::fill(&mut seed).map_err(|_| LoginError::Random)?;
                    word = key.encrypt(&scramble::xor(&word, &nonce), seed).ok_or(LoginError::Key)?;
                }
                channel.packet(|out| out.extend_from_slice(&word));
                channel.send().await?;
            }
            _ => return Err(WireError::Malformed("answer to a login")),
        }
    }
    Err(WireError::Malformed("end of a login"))
}
