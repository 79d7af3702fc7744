//! Connection and query attributes as they are kept and shown.

use crate::wire::Attributes;

/// Most connection attributes that are kept of a client, and most bytes of a name or value. Clients send about ten. They are
/// kept for as long as the connection lives, and so have less room than those of a statement (`wire/execute.rs`).
const CONNECTION_ATTRIBUTES: usize = 32;
const CONNECTION_ATTRIBUTE_BYTES: usize = 256;

/// As much of a client's connection attributes as is kept.
pub(super) fn bounded(attributes: &[(String, String)]) -> Attributes {
    let cut = |text: &String| text[..text.floor_char_boundary(CONNECTION_ATTRIBUTE_BYTES)].to_owned();
    attributes.iter().take(CONNECTION_ATTRIBUTES).map(|(name, value)| (cut(name), cut(value))).collect()
}

/// Attributes on one line.
pub(super) fn listed(attributes: &Attributes) -> String {
    attributes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
