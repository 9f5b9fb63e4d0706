//! What a receiver gets.

use std::collections::HashMap;
use std::process::Stdio;

use chrono::TimeDelta;
use creditd::tasks::delivery::Snapshot;
use standardwebhooks::Webhook;
use tokio::process::Command;

use super::{Post, SECRET, at_once, until_counted};
use crate::harness::World;
use crate::harness::receiver::{Received, Receiver};

/// The Python package of the standard, which knows nothing of the Rust one.
const PACKAGE: &str = "standardwebhooks==1.1.0";
/// Reads a secret, a body and headers, and answers with what it found in the body.
const VERIFY: &str = "import json, sys; from standardwebhooks import Webhook; \
                      secret, body, headers = json.load(sys.stdin); \
                      print(json.dumps(Webhook(secret).verify(body, headers)))";

/// A secret that came after [`SECRET`].
const NEWER: &str = "whsec_bmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmU=";
/// One that nobody gave out.
const ANOTHER: &str = "whsec_YW5vdGhlci1hbm90aGVyLWFub3RoZXItYW5vdGhlcg==";

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_delivered_once() {
    World::run(async |world| {
        let receiver = Receiver::start().await;
        let post = Post::of(&world.database).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        let body = "{ \"amount\": \"1.50\", \"name\": \"B\u{fc}cher \u{1f4da}\" }";
        let delivery = post.delivery(endpoint, body).await;
        assert_eq!(post.after(delivery, 1).await, at_once());
        let [received] = receiver.seen().try_into().expect("one webhook");
        assert_eq!(received.body, body, "byte by byte");
        assert_eq!(received.path, "/hook");
        assert_eq!(received.id(), format!("msg_{delivery}"));
        assert_eq!(received.header("content-type"), "application/json");
        let agent = concat!("creditd/", env!("CARGO_PKG_VERSION"));
        assert_eq!(received.header("user-agent"), agent);
        let verified = |secret| verifies(&received, secret);
        assert_eq!((verified(SECRET), verified(ANOTHER)), (true, false));
        let once = Snapshot { attempts: 1, delivered: 1, ..Snapshot::default() };
        until_counted(&world.server, |counted| counted == once).await;
    })
    .await;
}

/// Checked with the standard's own package of another language, against its own clock.
#[tokio::test(flavor = "multi_thread")]
async fn another_languages_package_verifies_it() {
    let Some(folder) = package().await else { return };
    World::run(async |world| {
        let receiver = Receiver::start().await;
        let post = Post::of(&world.database).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        post.delivery(endpoint, "{\"amount\": \"1.50\", \"name\": \"B\u{fc}cher\"}").await;
        receiver.until_seen(1).await;
        let [received] = receiver.seen().try_into().expect("one webhook");
        let found = python(&folder, SECRET, &received).await.expect("it verifies");
        assert_eq!(found, serde_json::json!({"amount": "1.50", "name": "B\u{fc}cher"}));
        assert_eq!(python(&folder, ANOTHER, &received).await, None);
        let changed = Received { body: received.body.replace("1.50", "9.50"), ..received };
        assert_eq!(python(&folder, SECRET, &changed).await, None);
    })
    .await;
}

/// An hour before the old one's day is over both sign; then only the new one does.
#[tokio::test(flavor = "multi_thread")]
async fn old_secrets_sign_for_a_while() {
    World::run(async |world| {
        let receiver = Receiver::start().await;
        let post = Post::of(&world.database).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        let old = serde_json::json!([{"secret": SECRET, "until": "2026-01-02T00:00:00Z"}]);
        let rotate = "UPDATE webhook_endpoints SET secret = $1, old_secrets = $2::text::jsonb";
        post.sql.execute(rotate, &[&NEWER, &old.to_string()]).await.expect("a rotation");
        let both = post.delivery(endpoint, "{}").await;
        post.after(both, 1).await;
        world.advance(TimeDelta::hours(24)).await;
        let one = post.delivery(endpoint, "{}").await;
        post.after(one, 1).await;
        let seen = receiver.seen();
        let by = |received| [NEWER, SECRET].map(|secret| verifies(received, secret));
        assert_eq!(by(&seen[0]), [true, true]);
        assert_eq!(by(&seen[1]), [true, false]);
        assert_eq!(seen[1].header("webhook-signature").split(' ').count(), 1);
    })
    .await;
}

fn verifies(received: &Received, secret: &str) -> bool {
    let webhook = Webhook::new(secret).expect("a secret");
    webhook.verify(received.body.as_bytes(), &received.headers).is_ok()
}

/// The folder with the package; None where it cannot be had, which CI does not forgive.
async fn package() -> Option<String> {
    let mut fetch = Command::new("scripts/tool.sh");
    fetch.args(["--library", PACKAGE, "standardwebhooks"]).stderr(Stdio::inherit());
    let fetched = fetch.output().await.expect("a shell");
    if !fetched.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{PACKAGE} cannot be fetched");
        return None;
    }
    Some(String::from_utf8(fetched.stdout).expect("a path").trim().to_owned())
}

/// What the package finds in a webhook; None where it does not verify.
async fn python(folder: &str, secret: &str, received: &Received) -> Option<serde_json::Value> {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: HashMap<&str, &str> =
        names.into_iter().map(|name| (name, received.header(name))).collect();
    let input = serde_json::json!([secret, received.body, headers]).to_string();
    let input_file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(input_file.path(), input).expect("a file");
    let mut python = Command::new("python3");
    python.args(["-c", VERIFY]).env("PYTHONPATH", folder);
    python.stdin(input_file.reopen().expect("a file"));
    let answer = python.output().await.expect("a Python");
    let said = String::from_utf8(answer.stderr).expect("text");
    if !answer.status.success() {
        assert!(said.contains("WebhookVerificationError"), "{said}");
        return None;
    }
    Some(serde_json::from_slice(&answer.stdout).expect("an answer"))
}
