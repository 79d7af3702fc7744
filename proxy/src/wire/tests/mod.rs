//! One connection at a time over a pipe: the client's side is written by hand, and read with mysql_common's parsers.

mod attributes;
mod client;
mod commands;
mod compressed;
mod cursors;
mod full_exchange;
mod guessing;
mod login;
mod login_time;
mod packets;
mod prepared;
mod results;
mod script;
mod setup;
mod shutdown;
mod tls;
mod tracking;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use cellgate_schemaless::Micros;
use cellgate_sql::Value;
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::{BufMutExt as _, ParseBuf};
use mysql_common::packets::OkPacket;
use mysql_common::proto::MyDeserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Semaphore, watch};

use self::client::{Client, FRAME, Login41, frames};
pub(super) use self::script::meta;
use self::script::{Script, text};
use self::setup::{Setup, enter, offered, old_eof};
use super::*;
use crate::auth::login_key::LoginKey;

/// Short enough to wait for in a test.
const SOON: Duration = Duration::from_millis(30);
