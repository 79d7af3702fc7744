//! The prepared statements of a connection.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::error::ErrorReply;
use super::execute::Declared;

/// Most bytes of names of attributes that are kept of a connection's statements, from one execution to the next. Beyond it
/// a statement's types and names have to be given again with its next execution.
const ATTRIBUTE_BYTES: usize = 256 * 1024;
/// Most parameters sent ahead at once, over all statements, which take room even without bytes: as many as one statement may
/// have.
const PARAMETERS_AHEAD: usize = 65_535;

/// The prepared statements of a connection, and the bounds on them.
pub(super) struct Statements<P> {
    open: BTreeMap<u32, Statement<P>>,
    /// The id to try next. Ids count up: one that is used after it was closed is most likely still unknown, not
    /// another statement.
    next: u32,
    most: usize,
    /// Bytes of all [`Statement::long_data`] together; at most `most_long_bytes`.
    long_bytes: usize,
    most_long_bytes: usize,
    /// How many parameters they are, at most [`PARAMETERS_AHEAD`].
    ahead: usize,
    /// Bytes of all [`Statement::attribute_bytes`] together, at most [`ATTRIBUTE_BYTES`].
    attribute_bytes: usize,
}

/// A prepared statement, and what the client has said so far of its next execution.
pub(super) struct Statement<P> {
    pub(super) plan: P,
    pub(super) params: u16,
    /// As the client last gave them; empty before that. It need not repeat them.
    pub(super) declared: Declared,
    /// What is counted of the names in `declared`.
    attribute_bytes: usize,
    long_data: BTreeMap<u16, BytesMut>,
    /// What was wrong with long data, which has no reply: the next execution tells it.
    failure: Option<ErrorReply>,
}

/// Parameters that were sent ahead of an execution.
#[derive(Debug, Default)]
pub(super) struct LongData(BTreeMap<u16, BytesMut>);

impl LongData {
    fn bytes(&self) -> usize {
        self.0.values().map(BytesMut::len).sum()
    }

    /// The value of a parameter, if it was sent ahead.
    pub(super) fn take(&mut self, param: u16) -> Option<Bytes> {
        if self.0.is_empty() { None } else { self.0.remove(&param).map(BytesMut::freeze) }
    }
}

impl<P> Statements<P> {
    pub(super) fn new(most: usize, most_long_bytes: usize) -> Self {
        Self { open: BTreeMap::new(), next: 1, most, long_bytes: 0, most_long_bytes, ahead: 0, attribute_bytes: 0 }
    }

    /// Whether another one may be prepared.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < self.most
    }

    /// Keeps a statement and gives it an id.
    pub(super) fn insert(&mut self, plan: P, params: u16) -> u32 {
        // MariaDB's clients say u32::MAX for "the one just prepared", and some take 0 for none.
        while self.next == 0 || self.next == u32::MAX || self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let statement = Statement {
            plan,
            params,
            declared: Declared::default(),
            attribute_bytes: 0,
            long_data: BTreeMap::new(),
            failure: None,
        };
        self.open.insert(id, statement);
        id
    }

    pub(super) fn is_open(&self, id: u32) -> bool {
        self.open.contains_key(&id)
    }

    /// A statement to execute, with the long data sent for it, which are used up whatever comes of it.
    pub(super) fn execute(&mut self, id: u32) -> Result<(&mut Statement<P>, LongData), ErrorReply> {
        let unknown = || ErrorReply::unknown_statement(id, "mysqld_stmt_execute");
        let statement = self.open.get_mut(&id).ok_or_else(unknown)?;
        let long_data = LongData(std::mem::take(&mut statement.long_data));
        self.long_bytes -= long_data.bytes();
        self.ahead -= long_data.0.len();
        match statement.failure.take() {
            None => Ok((statement, long_data)),
            Some(failure) => Err(failure),
        }
    }

    /// The plan of a statement.
    pub(super) fn plan(&self, id: u32) -> Result<&P, ErrorReply> {
        let unknown = || ErrorReply::unknown_statement(id, "mysqld_stmt_execute");
        self.open.get(&id).map(|statement| &statement.plan).ok_or_else(unknown)
    }

    /// Counts the names of attributes that a statement keeps now, or forgets them if they are too many: its attributes have
    /// none then, until they are sent with their names again.
    pub(super) fn count_attributes(&mut self, id: u32) {
        let Some(statement) = self.open.get_mut(&id) else { return };
        let bytes = statement.declared.attribute_bytes();
        self.attribute_bytes -= std::mem::replace(&mut statement.attribute_bytes, 0);
        if bytes > ATTRIBUTE_BYTES - self.attribute_bytes {
            statement.declared.forget_names();
            return;
        }
        statement.attribute_bytes = bytes;
        self.attribute_bytes += bytes;
    }

    /// Appends to a parameter. There is no reply: an unknown id is ignored, other mistakes are told at the execution.
    pub(super) fn append_long_data(&mut self, id: u32, param: u16, data: &[u8]) {
        let Some(statement) = self.open.get_mut(&id) else { return };
        if param >= statement.params {
            statement.failure = Some(ErrorReply::wrong_arguments());
        } else if data.len() > self.most_long_bytes - self.long_bytes
            || self.ahead == PARAMETERS_AHEAD && !statement.long_data.contains_key(&param)
        {
            statement.failure = Some(ErrorReply::long_data_too_long());
        } else {
            self.long_bytes += data.len();
            self.ahead += usize::from(!statement.long_data.contains_key(&param));
            statement.long_data.entry(param).or_default().extend_from_slice(data);
        }
    }

    /// Forgets long data; false if there is no such statement.
    pub(super) fn reset(&mut self, id: u32) -> bool {
        if let Some(statement) = self.open.get_mut(&id) {
            statement.failure = None;
        }
        self.take_long_data(id).is_some()
    }

    pub(super) fn close(&mut self, id: u32) {
        let _ = self.take_long_data(id);
        self.attribute_bytes -= self.open.remove(&id).map_or(0, |statement| statement.attribute_bytes);
    }

    /// Closes all. Ids go on counting.
    pub(super) fn clear(&mut self) {
        self.open = BTreeMap::new();
        (self.long_bytes, self.ahead, self.attribute_bytes) = (0, 0, 0);
    }

    fn take_long_data(&mut self, id: u32) -> Option<LongData> {
        let taken = LongData(std::mem::take(&mut self.open.get_mut(&id)?.long_data));
        self.long_bytes -= taken.bytes();
        self.ahead -= taken.0.len();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_are_not_used_again() {
        let mut statements = Statements::new(10, 10);
        assert_eq!(statements.insert((), 0), 1);
        assert_eq!(statements.insert((), 0), 2);
        statements.close(2);
        assert_eq!(statements.insert((), 0), 3);
        statements.clear();
        assert_eq!(statements.insert((), 0), 4);
        statements.next = u32::MAX;
        assert_eq!(statements.insert((), 0), 1);
        statements.next = u32::MAX;
        assert_eq!(statements.insert((), 0), 2);
    }

    #[test]
    fn long_data_are_bounded_over_all_statements_and_given_back() {
        let mut statements = Statements::new(10, 10);
        let (first, second) = (statements.insert((), 1), statements.insert((), 1));
        statements.append_long_data(first, 0, b"123456");
        statements.append_long_data(second, 0, b"12345");
        assert_eq!(statements.execute(second).err().unwrap().code, 1105);
        // The failure is told once; what was refused was not kept.
        assert!(statements.execute(second).unwrap().1.take(0).is_none());
        statements.close(first);
        statements.append_long_data(second, 0, b"12345");
        statements.append_long_data(second, 0, b"67890");
        assert_eq!(statements.execute(second).unwrap().1.take(0).unwrap(), b"1234567890"[..]);
        assert_eq!(statements.long_bytes, 0);
        assert!(statements.reset(second));
        assert!(!statements.reset(first));
    }

    #[test]
    fn long_data_without_bytes_are_bounded_too() {
        let mut statements = Statements::new(10, 10);
        let (first, second) = (statements.insert((), u16::MAX), statements.insert((), 1));
        for param in 0..u16::MAX {
            statements.append_long_data(first, param, b"");
        }
        statements.append_long_data(first, 7, b"x");
        statements.append_long_data(second, 0, b"");
        assert_eq!(statements.execute(second).err().unwrap().code, 1105);
        assert_eq!(statements.execute(first).unwrap().1.take(7).unwrap(), b"x"[..]);
        statements.append_long_data(second, 0, b"");
        assert_eq!(statements.execute(second).unwrap().1.take(0).unwrap(), b""[..]);
        assert_eq!((statements.ahead, statements.long_bytes), (0, 0));
    }

    #[test]
    fn long_data_for_a_parameter_that_is_not_there_fail_the_execution() {
        let mut statements = Statements::new(10, 10);
        let id = statements.insert((), 1);
        statements.append_long_data(id, 1, b"x");
        statements.append_long_data(id + 1, 0, b"x");
        assert_eq!(statements.execute(id).err().unwrap().code, 1210);
        statements.append_long_data(id, 1, b"x");
        assert!(statements.reset(id));
        assert!(statements.execute(id).is_ok());
        assert_eq!(statements.execute(id + 1).err().unwrap().code, 1243);
    }
}
