//! Prints docs/CONFIGURATION.md; `cargo xtask docs` writes it.

fn main() {
    print!("{}", cellgate_proxy::config::document());
}
