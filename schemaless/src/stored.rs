//! What checked bytes have in common: they come back from a store unchecked, are lent, and can be given a place of
//! their own.

/// Gives a type over [`bytes::Bytes`] whose `new` checks them the doors that do not. `$what` names it in the docs.
macro_rules! stored {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("A ", $what, " as a store returned it; it was checked when it was written.")]
            pub fn from_store(bytes: impl Into<bytes::Bytes>) -> Self {
                Self(bytes.into())
            }

            #[doc = concat!("The bytes of the ", $what, ".")]
            pub fn as_bytes(&self) -> &bytes::Bytes {
                &self.0
            }

            /// The same bytes in a place of their own: made of a slice, it keeps all of what the slice is of.
            #[must_use]
            pub fn detached(&self) -> Self {
                Self(bytes::Bytes::copy_from_slice(&self.0))
            }
        }
    };
}

pub(crate) use stored;
