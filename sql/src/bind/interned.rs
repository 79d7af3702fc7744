//! Values that are told apart once.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::hash::{DefaultHasher, Hasher};

/// Values, each once, in the order in which they were met. Finding one takes no longer, however many there are.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    all: Vec<T>,
    /// The places of the values of a fingerprint.
    places: HashMap<u64, Vec<usize>>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Debug + PartialEq> Interned<T> {
    /// The place of the value: that of an equal one, if there is one.
    pub fn place(&mut self, value: T) -> usize {
        let same = self.places.entry(fingerprint(&value)).or_default();
        let known = same.iter().copied().find(|place| self.all.get(*place) == Some(&value));
        known.unwrap_or_else(|| {
            self.all.push(value);
            same.push(self.all.len() - 1);
            self.all.len() - 1
        })
    }

    /// The values by their places.
    pub fn all(&self) -> &[T] {
        &self.all
    }

    /// The values by their places.
    pub fn into_all(self) -> Vec<T> {
        self.all
    }
}

/// A number that equal values share: of what they are shown as, since trees with floating-point numbers have no hash.
fn fingerprint(value: &impl Debug) -> u64 {
    struct Hashed(DefaultHasher);
    impl Write for Hashed {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashed = Hashed(DefaultHasher::new());
    // It never fails: neither does what is written to.
    let _ = write!(hashed, "{value:?}");
    hashed.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_place() {
        let mut interned = Interned::default();
        let places: Vec<usize> = ["a", "b", "a", "c", "b"].map(|value| interned.place(value)).into();
        assert_eq!(places, [0, 1, 0, 2, 1]);
        assert_eq!(interned.into_all(), ["a", "b", "c"]);
    }
}
