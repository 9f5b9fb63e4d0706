//! docs/clients.md: what it shows in Python and in Node runs, word for word, with those languages'
//! own packages and stubs. Skipped where they cannot be had, which CI does not forgive.

use tokio::process::Command;

use crate::harness::{Options, World};

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
