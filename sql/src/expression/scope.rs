//! What an expression is evaluated in: where its leaves get their values from, what bounds them, and who hears of what
//! is lost on the way.
//!
//! Assumes that [`Scope::patience`] is cheap to ask. The provided methods are those of a scope of
//! constants: values are bound by [`VALUE_BYTES`] alone, nothing gives up, and nobody is told.

use super::Worth;
use crate::error::SqlError;
use crate::value::Value;

/// Longest value of an expression where nothing else is said, in bytes: the default of `limits.max_allowed_packet`.
pub(crate) const VALUE_BYTES: usize = 64 << 20;
/// Items of an IN and branches of a CASE between two times that [`Scope::patience`] is asked: each is a comparison, or a
/// JSON text to be read.
const LOOK: usize = 4;
/// Bytes that are looked at between two times that [`Scope::patience`] is asked.
const LOOK_BYTES: usize = 64 << 10;
/// Most times it is asked before work that comes in one piece.
const LOOKS: usize = 4096;

/// Where leaves get their values from.
pub(crate) trait Scope<L> {
    /// The value of a leaf.
    ///
    /// # Errors
    /// When the leaf has no value here.
    fn leaf(&self, leaf: &L) -> Result<Value, SqlError>;

    /// What a leaf is worth as an operand.
    ///
    /// # Errors
    /// When the leaf has no value here.
    fn worth(&self, leaf: &L) -> Result<Worth, SqlError> {
        self.leaf(leaf).map(Worth::Plain)
    }

    /// Whether text compares without case (names in SHOW).
    fn folds_case(&self) -> bool {
        false
    }

    /// Longest value a function makes, in bytes: `max_allowed_packet`.
    fn longest(&self) -> usize {
        VALUE_BYTES
    }

    /// Hears of every value a function has made, of so many bytes.
    ///
    /// # Errors
    /// When it was too much altogether.
    fn made(&self, _bytes: usize) -> Result<(), SqlError> {
        Ok(())
    }

    /// Asked at every step of what may take long within one row, and answered from the clock now and then.
    ///
    /// # Errors
    /// [`SqlError::GivenUp`] when the statement is.
    fn patience(&self) -> Result<(), SqlError> {
        Ok(())
    }

    /// Hears of what a value lost: of a division by zero, whose value is NULL, and of text that is not all of the number or
    /// time that is read out of it.
    ///
    /// # Errors
    /// What is told, where that value is stored, or where it cannot be told of.
    fn lost(&self, _told: SqlError) -> Result<(), SqlError> {
        Ok(())
    }

    /// What becomes of a function whose value would be too long: NULL where a warning can be told of it.
    ///
    /// # Errors
    /// The error given, where none can.
    fn too_long(&self, error: SqlError) -> Result<Value, SqlError> {
        Err(error)
    }
}

/// Asks whether the statement is given up, at every [`LOOK`]th of many.
pub(super) fn look<L>(i: usize, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    if i > 0 && i.is_multiple_of(LOOK) { scope.patience() } else { Ok(()) }
}

/// Asks whether the statement is given up before so many bytes are looked at: the more often, the more there are.
pub(super) fn weigh<L>(bytes: usize, scope: &dyn Scope<L>) -> Result<(), SqlError> {
    (0..(bytes / LOOK_BYTES).min(LOOKS)).try_for_each(|_| scope.patience())
}

/// The value, or what becomes of one that is too long.
pub(super) fn or_null<L>(value: Result<Value, SqlError>, scope: &dyn Scope<L>) -> Result<Value, SqlError> {
    match value {
        Err(error @ SqlError::ResultTooLong { .. }) => scope.too_long(error),
        value => value,
    }
}
