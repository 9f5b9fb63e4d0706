//! docs/clients.md: what it shows in Python, in Node and in Rust runs, word for word, over TLS and with
//! a key; the first two with those languages' own packages and stubs. They are skipped where these cannot be had, which CI
//! does not forgive.

mod shown;

use creditd::domain::identity::Role;
use tokio::process::Command;
use tonic::{Code, Status};

use crate::door::authority::{Authority, Folder};
use crate::harness::{Options, World, say};
use crate::identity::key;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_rust_works() {
    let text = include_str!("../../../docs/clients.md");
    assert!(text.contains(include_str!("shown.rs")), "docs/clients.md shows another shown.rs");
    let (authority, _folder, options) = guarded();
    World::run_with(options, async |world| {
        let usage = say::usage("acme", "e1", "tokens", "1");
        let key = key(&world.database, "rust", Role::Meter).await;
        let key = key.reveal();
        let url = format!("https://localhost:{}", world.server.address.port());
        let channel = shown::connect(url, &authority.pem).await.expect("a connection");
        let first = shown::record(channel.clone(), key, usage.clone()).await.expect("an event");
        let again = shown::record(channel.clone(), key, usage).await.expect("an event");
        assert_eq!((first.duplicate, again.duplicate), (false, true));
        let other = say::usage("acme", "e1", "tokens", "2");
        let refused = shown::record(channel, key, other).await.expect_err("a refusal");
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

/// A server as it is in production: over TLS, for those who have a key.
fn guarded() -> (Authority, Folder, Options) {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let mut options = Options { identity: Some(Vec::new()), ..Options::real() };
    options.door.tls = Some(folder.files());
    (authority, folder, options)
}

/// The exit code of scripts/client.sh where the language's packages cannot be had.
const AWAY: i32 = 75;

async fn works(language: &str) {
    let (authority, folder, options) = guarded();
    World::run_with(options, async |world| {
        let key = key(&world.database, language, Role::Admin).await;
        let mut client = Command::new("scripts/client.sh");
        let target = format!("localhost:{}", world.server.address.port());
        client.args([language, &target]).arg(folder.write("ca.pem", &authority.pem));
        client.arg(key.reveal()).kill_on_drop(true);
        let ended = client.status().await.expect("a shell");
        if ended.code() == Some(AWAY) && std::env::var_os("CI").is_none() {
            eprintln!("skipped: {language} cannot be had");
            return;
        }
        assert!(ended.success(), "{language}: {ended}");
    })
    .await;
}
