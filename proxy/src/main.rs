//! The program `cellgate`.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cellgate_proxy::program::run(cellgate_proxy::cli::Cli::parse().command())
}
