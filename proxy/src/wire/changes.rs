//! What a reply tells of changes to the session (SESSION_TRACK), so that drivers and proxies need not ask.

use bytes::BufMut;
use mysql_common::io::BufMutExt as _;

/// A change of the session's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// A system variable has a new value.
    Variable {
        /// Its name.
        name: String,
        /// The value as SHOW VARIABLES has it.
        value: String,
    },
    /// The current database.
    Schema(String),
    /// Something changed, whatever it was.
    State,
    /// The statements that open a transaction like this one; empty if none is open and none was described.
    TransactionCharacteristics(String),
    /// What the transaction has done, in MySQL's eight characters.
    TransactionState(String),
}

impl SessionChange {
    fn write(&self, out: &mut Vec<u8>) {
        let mut data = Vec::new();
        let kind = match self {
            Self::Variable { name, value } => {
                data.put_lenenc_str(name.as_bytes());
                data.put_lenenc_str(value.as_bytes());
                0
            }
            Self::Schema(name) => {
                data.put_lenenc_str(name.as_bytes());
                1
            }
            Self::State => {
                data.put_lenenc_str(b"1");
                2
            }
            Self::TransactionCharacteristics(statements) => {
                data.put_lenenc_str(statements.as_bytes());
                4
            }
            Self::TransactionState(state) => {
                data.put_lenenc_str(state.as_bytes());
                5
            }
        };
        out.put_u8(kind);
        out.put_lenenc_str(&data);
    }
}

/// The block behind an OK packet's text.
pub(super) fn write_changes(out: &mut Vec<u8>, changes: &[SessionChange]) {
    let mut block = Vec::new();
    changes.iter().for_each(|change| change.write(&mut block));
    out.put_lenenc_str(&block);
}
