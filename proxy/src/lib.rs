//! The proxy: MySQL's protocol in front, the cell dialect behind it.

pub mod auth;
pub mod wire;
