//! Prints docs/METRICS.md; `cargo xtask docs` writes it.

fn main() -> Result<(), cellgate_metrics::MetricsError> {
    print!("{}", cellgate_metrics::document()?);
    Ok(())
}
