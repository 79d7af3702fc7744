//! The client's side, with a framing of its own.

use mysql_common::packets::{CommonOkPacket, HandshakePacket, OkPacketDeserializer};
use mysql_common::packets::{OldEofPacket, ResultSetTerminator};
use tokio::task::JoinHandle;

use super::*;

/// The fields of a login packet.
pub(super) struct Login41<'a> {
    pub(super) user: &'a [u8],
    pub(super) answer: &'a [u8],
    pub(super) database: &'a [u8],
    pub(super) plugin: &'a [u8],
    pub(super) attributes: &'a [(&'a [u8], &'a [u8])],
    pub(super) charset: u8,
}

impl Default for Login41<'_> {
    fn default() -> Self {
        Self { user: b"", answer: b"", database: b"", plugin: b"caching_sha2_password", attributes: &[], charset: 45 }
    }
}

impl Login41<'_> {
    /// Laid out by exactly these flags.
    pub(super) fn payload(&self, capabilities: CapabilityFlags) -> Vec<u8> {
        self.payload_claiming(capabilities, capabilities)
    }

    /// Laid out by some flags, while claiming others.
    pub(super) fn payload_claiming(&self, layout: CapabilityFlags, claimed: CapabilityFlags) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32_le(claimed.bits());
        out.put_u32_le(1 << 24);
        out.put_u8(self.charset);
        out.put_slice(&[0; 23]);
        out.put_slice(self.user);
        out.put_u8(0);
        if layout.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            out.put_lenenc_str(self.answer);
        } else {
            out.put_u8(self.answer.len() as u8);
            out.put_slice(self.answer);
        }
        if layout.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            out.put_slice(self.database);
            out.put_u8(0);
        }
        if layout.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            out.put_slice(self.plugin);
            out.put_u8(0);
        }
        if layout.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            let mut block = Vec::new();
            for (name, value) in self.attributes {
                block.put_lenenc_str(name);
                block.put_lenenc_str(value);
            }
            out.put_lenenc_str(&block);
        }
        out
    }
}

/// The client's end, with a framing of its own.
pub(super) struct Client<S = DuplexStream> {
    pub(super) stream: S,
    pub(super) sequence: u8,
    pub(super) capabilities: CapabilityFlags,
    pub(super) served: JoinHandle<Result<(), WireError>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) kill: KillSwitch,
    pub(super) calls: Arc<Mutex<Vec<String>>>,
    pub(super) events: Arc<Mutex<Vec<WireEvent>>>,
    pub(super) permits: Arc<Semaphore>,
}

pub(super) const FRAME: usize = 0xff_ffff;

pub(super) fn frames(payload: &[u8], sequence: &mut u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = payload;
    loop {
        let (frame, behind) = rest.split_at(rest.len().min(FRAME));
        out.put_u24_le(frame.len() as u32);
        out.put_u8(*sequence);
        *sequence = sequence.wrapping_add(1);
        out.put_slice(frame);
        if frame.len() < FRAME {
            return out;
        }
        rest = behind;
    }
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    /// Sends a packet with the next number.
    pub(super) async fn send(&mut self, payload: &[u8]) {
        let bytes = frames(payload, &mut self.sequence);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends a command.
    pub(super) async fn command(&mut self, payload: &[u8]) {
        self.sequence = 0;
        self.send(payload).await;
    }

    pub(super) async fn query(&mut self, text: &str) {
        self.command(&[b"\x03", text.as_bytes()].concat()).await;
    }

    /// The next packet, put together from its frames; `None` at the end of the connection.
    pub(super) async fn packet(&mut self) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await.ok()?;
            let [a, b, c, sequence] = header;
            assert_eq!(sequence, self.sequence, "the server's packet number");
            self.sequence = self.sequence.wrapping_add(1);
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let start = payload.len();
            payload.resize(start + length, 0);
            self.stream.read_exact(&mut payload[start..]).await.unwrap();
            if length < FRAME {
                return Some(payload);
            }
        }
    }

    pub(super) async fn greeting(&mut self) -> HandshakePacket<'static> {
        let packet = self.packet().await.unwrap();
        HandshakePacket::deserialize((), &mut ParseBuf(&packet)).unwrap().into_owned()
    }

    pub(super) async fn ok(&mut self) -> OkPacket<'static> {
        let packet = self.packet().await.unwrap();
        self.parse_ok(&packet)
    }

    pub(super) fn parse_ok(&self, packet: &[u8]) -> OkPacket<'static> {
        OkPacketDeserializer::<CommonOkPacket>::deserialize(self.capabilities, &mut ParseBuf(packet))
            .unwrap_or_else(|error| panic!("{error}: {packet:02x?}"))
            .into_inner()
            .into_owned()
    }

    /// The end of rows, in the form this client asked for.
    pub(super) fn parse_end(&self, packet: &[u8]) -> OkPacket<'static> {
        let mut buffer = ParseBuf(packet);
        let end = if self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            assert_eq!(packet.len(), 7);
            OkPacketDeserializer::<ResultSetTerminator>::deserialize(self.capabilities, &mut buffer)
                .unwrap()
                .into_inner()
        } else {
            assert_eq!(packet.len(), 5);
            OkPacketDeserializer::<OldEofPacket>::deserialize(self.capabilities, &mut buffer).unwrap().into_inner()
        };
        assert!(buffer.is_empty());
        end.into_owned()
    }

    pub(super) async fn end(&mut self) -> OkPacket<'static> {
        let packet = self.packet().await.unwrap();
        self.parse_end(&packet)
    }

    /// Number, state and text of an ERR packet.
    pub(super) async fn error(&mut self) -> (u16, String, String) {
        let packet = self.packet().await.unwrap();
        assert_eq!(packet[0], 0xff, "{packet:02x?}");
        assert_eq!(packet[3], b'#');
        let code = u16::from_le_bytes([packet[1], packet[2]]);
        let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (code, string(&packet[4..9]), string(&packet[9..]))
    }

    pub(super) async fn error_code(&mut self) -> u16 {
        self.error().await.0
    }

    /// The connection is closed with nothing more said; how serving it ended.
    pub(super) async fn closed(mut self) -> Result<(), WireError> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
        drop(self.stream);
        self.served.await.unwrap()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}
