//! The commands of a client.

use bytes::Bytes;
use mysql_common::constants::CapabilityFlags;

use super::execute::{self, Attributes};
use super::reader::{Malformed, Reader};

/// What kind of command it is: a closed set, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// COM_QUIT.
    Quit,
    /// COM_INIT_DB.
    InitDb,
    /// COM_QUERY.
    Query,
    /// COM_FIELD_LIST.
    FieldList,
    /// COM_REFRESH.
    Refresh,
    /// COM_STATISTICS.
    Statistics,
    /// COM_PROCESS_KILL.
    ProcessKill,
    /// COM_PING.
    Ping,
    /// COM_CHANGE_USER.
    ChangeUser,
    /// COM_STMT_PREPARE.
    Prepare,
    /// COM_STMT_EXECUTE.
    Execute,
    /// COM_STMT_SEND_LONG_DATA.
    SendLongData,
    /// COM_STMT_CLOSE.
    Close,
    /// COM_STMT_RESET.
    ResetStatement,
    /// COM_SET_OPTION.
    SetOption,
    /// COM_STMT_FETCH.
    Fetch,
    /// COM_RESET_CONNECTION.
    ResetConnection,
    /// Any other.
    Unknown,
}

impl CommandKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Quit,
        Self::InitDb,
        Self::Query,
        Self::FieldList,
        Self::Refresh,
        Self::Statistics,
        Self::ProcessKill,
        Self::Ping,
        Self::ChangeUser,
        Self::Prepare,
        Self::Execute,
        Self::SendLongData,
        Self::Close,
        Self::ResetStatement,
        Self::SetOption,
        Self::Fetch,
        Self::ResetConnection,
        Self::Unknown,
    ];

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::InitDb => "init_db",
            Self::Query => "query",
            Self::FieldList => "field_list",
            Self::Refresh => "refresh",
            Self::Statistics => "statistics",
            Self::ProcessKill => "process_kill",
            Self::Ping => "ping",
            Self::ChangeUser => "change_user",
            Self::Prepare => "stmt_prepare",
            Self::Execute => "stmt_execute",
            Self::SendLongData => "stmt_send_long_data",
            Self::Close => "stmt_close",
            Self::ResetStatement => "stmt_reset",
            Self::SetOption => "set_option",
            Self::Fetch => "stmt_fetch",
            Self::ResetConnection => "reset_connection",
            Self::Unknown => "unknown",
        }
    }

    /// An empty packet is among the unknown.
    fn of(code: Option<u8>) -> Self {
        match code {
            Some(0x01) => Self::Quit,
            Some(0x02) => Self::InitDb,
            Some(0x03) => Self::Query,
            Some(0x04) => Self::FieldList,
            Some(0x07) => Self::Refresh,
            Some(0x09) => Self::Statistics,
            Some(0x0c) => Self::ProcessKill,
            Some(0x0e) => Self::Ping,
            Some(0x11) => Self::ChangeUser,
            Some(0x16) => Self::Prepare,
            Some(0x17) => Self::Execute,
            Some(0x18) => Self::SendLongData,
            Some(0x19) => Self::Close,
            Some(0x1a) => Self::ResetStatement,
            Some(0x1b) => Self::SetOption,
            Some(0x1c) => Self::Fetch,
            Some(0x1f) => Self::ResetConnection,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// A command with its fields.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Quit,
    InitDb(Bytes),
    Query {
        text: Bytes,
        attributes: Attributes,
    },
    FieldList {
        table: Bytes,
        /// Which columns, as LIKE has it; empty is all.
        pattern: Bytes,
    },
    Refresh {
        what: u8,
    },
    Statistics,
    ProcessKill {
        connection: u32,
    },
    Ping,
    ChangeUser(Reader),
    Prepare(Bytes),
    Execute {
        statement: u32,
        flags: ExecuteFlags,
        rest: Reader,
    },
    SendLongData {
        statement: u32,
        param: u16,
        data: Bytes,
    },
    Close {
        statement: u32,
    },
    ResetStatement {
        statement: u32,
    },
    SetOption(MultiStatements),
    Fetch {
        statement: u32,
        rows: u32,
    },
    ResetConnection,
    Unknown,
}

/// What a client wants of an execution besides its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExecuteFlags(u8);

impl ExecuteFlags {
    /// The rows are to stay here until they are fetched. Scrollable and writable cursors are not known to anybody.
    pub(super) fn cursor(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The number of parameters is in the packet, even if the statement has none.
    pub(super) fn counted(self) -> bool {
        self.0 & 0x08 != 0
    }
}

/// The two options of SET_OPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MultiStatements {
    On,
    Off,
}

impl Command {
    /// The kind of a packet, whether or not its fields can be read.
    pub(super) fn kind(packet: &Bytes) -> CommandKind {
        CommandKind::of(packet.first().copied())
    }

    /// Reads a command of a client with these capabilities. What is behind its fields is ignored, as MySQL does.
    pub(super) fn read(packet: Bytes, capabilities: CapabilityFlags) -> Result<Self, Malformed> {
        let kind = Self::kind(&packet);
        let mut fields = Reader::new(packet);
        if kind != CommandKind::Unknown {
            fields.skip(1)?;
        }
        Ok(match kind {
            CommandKind::Quit => Self::Quit,
            CommandKind::InitDb => Self::InitDb(fields.rest()),
            CommandKind::Query => {
                let attributes = if capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES) {
                    execute::query_attributes(&mut fields)?
                } else {
                    Attributes::new()
                };
                Self::Query { text: fields.rest(), attributes }
            }
            CommandKind::FieldList => Self::FieldList { table: fields.nul_terminated()?, pattern: fields.rest() },
            CommandKind::Refresh => Self::Refresh { what: fields.u8()? },
            CommandKind::Statistics => Self::Statistics,
            CommandKind::ProcessKill => Self::ProcessKill { connection: fields.u32()? },
            CommandKind::Ping => Self::Ping,
            CommandKind::ChangeUser => Self::ChangeUser(fields),
            CommandKind::Prepare => Self::Prepare(fields.rest()),
            CommandKind::Execute => {
                let statement = fields.u32()?;
                let flags = ExecuteFlags(fields.u8()?);
                let _iterations_always_one = fields.u32()?;
                Self::Execute { statement, flags, rest: fields }
            }
            CommandKind::SendLongData => {
                Self::SendLongData { statement: fields.u32()?, param: fields.u16()?, data: fields.rest() }
            }
            CommandKind::Close => Self::Close { statement: fields.u32()? },
            CommandKind::ResetStatement => Self::ResetStatement { statement: fields.u32()? },
            CommandKind::SetOption => match fields.u16()? {
                0 => Self::SetOption(MultiStatements::On),
                1 => Self::SetOption(MultiStatements::Off),
                2.. => Self::Unknown,
            },
            CommandKind::Fetch => Self::Fetch { statement: fields.u32()?, rows: fields.u32()? },
            CommandKind::ResetConnection => Self::ResetConnection,
            CommandKind::Unknown => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use mysql_common::constants::Command as Code;

    fn read(packet: &[u8]) -> Result<Command, Malformed> {
        Command::read(Bytes::copy_from_slice(packet), CapabilityFlags::empty())
    }

    use super::*;

    #[test]
    fn commands_have_mysqls_numbers() {
        let known = [
            (Code::COM_QUIT, CommandKind::Quit),
            (Code::COM_INIT_DB, CommandKind::InitDb),
            (Code::COM_QUERY, CommandKind::Query),
            (Code::COM_FIELD_LIST, CommandKind::FieldList),
            (Code::COM_REFRESH, CommandKind::Refresh),
            (Code::COM_STATISTICS, CommandKind::Statistics),
            (Code::COM_PROCESS_KILL, CommandKind::ProcessKill),
            (Code::COM_PING, CommandKind::Ping),
            (Code::COM_CHANGE_USER, CommandKind::ChangeUser),
            (Code::COM_STMT_PREPARE, CommandKind::Prepare),
            (Code::COM_STMT_EXECUTE, CommandKind::Execute),
            (Code::COM_STMT_SEND_LONG_DATA, CommandKind::SendLongData),
            (Code::COM_STMT_CLOSE, CommandKind::Close),
            (Code::COM_STMT_RESET, CommandKind::ResetStatement),
            (Code::COM_SET_OPTION, CommandKind::SetOption),
            (Code::COM_STMT_FETCH, CommandKind::Fetch),
            (Code::COM_RESET_CONNECTION, CommandKind::ResetConnection),
        ];
        for code in 0..=255 {
            let kind = known.iter().find(|(known, _)| *known as u8 == code).map(|(_, kind)| *kind);
            assert_eq!(CommandKind::of(Some(code)), kind.unwrap_or(CommandKind::Unknown), "{code:#x}");
        }
        assert_eq!(CommandKind::of(None), CommandKind::Unknown);
    }

    #[test]
    fn a_command_cut_short_is_malformed() {
        let whole =
            [&[0x17; 10][..], &[0x18; 7], &[0x19; 5], &[0x1b; 3], &[0x1c; 9], &[0x0c; 5], &[0x04, 0x74, 0], &[0x07; 2]];
        for packet in whole {
            assert!(read(packet).is_ok(), "{packet:?}");
            for length in 1..packet.len() {
                assert_eq!(read(&packet[..length]).err(), Some(Malformed), "{packet:?} cut to {length}");
            }
        }
    }

    #[test]
    fn every_kind_has_its_own_name() {
        let mut names: Vec<_> = CommandKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CommandKind::ALL.len());
    }
}
