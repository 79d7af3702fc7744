//! Does one of the operations so many times: `count NAME TIMES`. `cargo xtask instructions` counts what that takes.

mod operations;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            operations::ALL.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name, times] => match (operations::ALL.iter().find(|(known, _)| *known == name), times.parse::<u64>()) {
            (Some((_, prepare)), Ok(times)) => {
                let mut operation = prepare();
                (0..times).for_each(|_| operation());
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: count --list | count NAME TIMES");
    ExitCode::from(2)
}
