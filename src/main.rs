//! The command line: parse, run one command.

use std::process::ExitCode;

use clap::Parser as _;
use creditd::app::{Cli, run};

/// Measured under full load: an event costs 8 µs of CPU here instead of 13. Its version 2 gives
/// memory back within milliseconds, and version 3 holds on to half as much again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("creditd: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(cli))
}
