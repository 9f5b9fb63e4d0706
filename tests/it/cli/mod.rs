//! The everyday commands: the real binary against a real server.

mod bulk;
mod campaign;
mod errors;
mod grants;
mod notifications;
mod pages;
mod reads;
mod usage;
mod void;
mod watch;

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::harness::World;
use crate::harness::child::creditd;

/// What a command said, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A command line, split at its spaces, for the server at this address.
fn command(address: SocketAddr, line: &str) -> Command {
    let mut command = creditd();
    command.env("CREDITD_ENDPOINT", format!("http://{address}")).args(line.split(' '));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(world: &World, line: &str) -> Said {
    command(world.server.address, line).output().await.expect("a command").into()
}

/// What a command that succeeds, and has nothing to note, prints.
async fn says(world: &World, line: &str) -> String {
    let said = run(world, line).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{line}");
    said.out
}

/// The JSON objects, one a line, that a command prints.
async fn tells(world: &World, line: &str) -> Vec<Value> {
    let out = says(world, &format!("{line} --json")).await;
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
