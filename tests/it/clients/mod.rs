//! docs/clients.md: what it shows in Python, in Node and in Rust runs, word for word; the first two
//! with those languages' own packages and stubs. They are skipped where these cannot be had, which CI
//! does not forgive.

mod shown;

use tokio::process::Command;
use tonic::{Code, Status};

use crate::harness::{Options, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_rust_works() {
    let text = include_str!("../../../docs/clients.md");
    assert!(text.contains(include_str!("shown.rs")), "docs/clients.md shows another shown.rs");
    World::run(async |world| {
        let usage = say::usage("acme", "e1", "tokens", "1");
        let channel = &world.client.channel;
        let first = shown::record(channel.clone(), "key", usage.clone()).await.expect("an event");
        let again = shown::record(channel.clone(), "key", usage).await.expect("an event");
        assert_eq!((first.duplicate, again.duplicate), (false, true));
        let other = say::usage("acme", "e1", "tokens", "2");
        let refused = shown::record(channel.clone(), "key", other).await.expect_err("a refusal");
        assert_eq!((refused.code(), shown::pause(&refused)), (Code::AlreadyExists, None));
        assert!(shown::pause(&Status::unavailable("broken")).is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_python_works() {
    works("python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_node_works() {
    works("node").await;
}

/// The exit code of scripts/client.sh where the language's packages cannot be had.
const AWAY: i32 = 75;

async fn works(language: &str) {
    World::run_with(Options::real(), async |world| {
        let mut client = Command::new("scripts/client.sh");
        client.args([language, &world.server.address.to_string()]).kill_on_drop(true);
        let ended = client.status().await.expect("a shell");
        if ended.code() == Some(AWAY) && std::env::var_os("CI").is_none() {
            eprintln!("skipped: {language} cannot be had");
            return;
        }
        assert!(ended.success(), "{language}: {ended}");
    })
    .await;
}
