//! User variables: `@name`, a session's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use cellgate_sql::{SqlError, Value};

/// What a variable takes beside its name and its value, in bytes: about the place it has in the map.
const PLACE_BYTES: usize = 128;

/// The user variables of a session, all of which together are bounded (`limits.user_variables`).
#[derive(Debug, Default)]
pub(super) struct UserVariables {
    values: BTreeMap<String, Value>,
    bytes: usize,
}

impl UserVariables {
    /// The value; NULL if it was never set.
    pub(super) fn get(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or(Value::Null)
    }

    /// How many bytes there are once these are set.
    ///
    /// # Errors
    /// [`SqlError::Limit`] if it is more than `limit`.
    pub(super) fn check(&self, new: &[(String, Value)], limit: usize) -> Result<usize, SqlError> {
        // Of one that is set twice the last value counts.
        let new: BTreeMap<&str, &Value> = new.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let replaced = new.keys().filter_map(|name| self.values.get_key_value(*name));
        let without = self.bytes - replaced.map(|(name, value)| size(name, value)).sum::<usize>();
        let bytes = without + new.iter().map(|(name, value)| size(name, value)).sum::<usize>();
        if bytes > limit {
            let what = "the size of the session's user variables, in bytes,".to_owned();
            return Err(SqlError::Limit { what, limit: limit as u64, name: "limits.user_variables" });
        }
        Ok(bytes)
    }

    /// Sets all of them or, if together with the others they take more than `limit` bytes, none.
    ///
    /// # Errors
    /// [`SqlError::Limit`].
    pub(super) fn set(&mut self, new: Vec<(String, Value)>, limit: usize) -> Result<(), SqlError> {
        self.bytes = self.check(&new, limit)?;
        self.values.extend(new.into_iter().map(|(name, value)| (name, detached(value))));
        Ok(())
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn size(name: &str, value: &Value) -> usize {
    let value = match value {
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => bytes.len(),
        Value::Decimal(text) => text.len(),
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::DateTime(_) => 0,
    };
    PLACE_BYTES + name.len() + value
}

/// With bytes of its own: what a client sent is a slice of its packet, which would be kept as a whole.
fn detached(value: Value) -> Value {
    match value {
        Value::Text(bytes) => Value::Text(Bytes::copy_from_slice(&bytes)),
        Value::Bytes(bytes) => Value::Bytes(Bytes::copy_from_slice(&bytes)),
        Value::Json(bytes) => Value::Json(Bytes::copy_from_slice(&bytes)),
        value @ (Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::DateTime(_)) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Value {
        Value::Text("x".repeat(length).into())
    }

    fn set(variables: &mut UserVariables, new: &[(&str, usize)]) -> bool {
        let new = new.iter().map(|(name, length)| ((*name).to_owned(), text(*length)));
        variables.set(new.collect(), 1000).is_ok()
    }

    #[test]
    fn all_variables_together_are_bounded_by_their_bytes() {
        let mut variables = UserVariables::default();
        assert!(set(&mut variables, &[("a", 400)]));
        assert!(set(&mut variables, &[("b", 1000 - 2 * PLACE_BYTES - 400 - 2)]), "exactly full");
        assert!(!set(&mut variables, &[("c", 0)]));
        assert!(!set(&mut variables, &[("b", 0), ("a", 900)]), "all or none");
        assert_eq!(variables.get("b"), text(1000 - 2 * PLACE_BYTES - 400 - 2));
        assert!(set(&mut variables, &[("b", 0)]), "a shorter value gives room back");
        assert!(set(&mut variables, &[("c", 900), ("c", 1)]), "the last value counts");
        variables.clear();
        assert!(set(&mut variables, &[("d", 800)]));
        assert_eq!(variables.get("a"), Value::Null);
    }

    #[test]
    fn a_variable_does_not_keep_the_packet_it_came_in() {
        let packet = Bytes::from(vec![b'x'; 1 << 20]);
        let mut variables = UserVariables::default();
        for value in [Value::Text, Value::Bytes, Value::Json] {
            variables.set(vec![("a".to_owned(), value(packet.slice(0..2)))], 1000).unwrap();
            assert!(packet.is_unique());
        }
    }
}
