//! `creditd keys`, and a server that asks for them.

use std::process::Output;

use creditd::domain::identity::KeyText;
use tonic::Code;

use super::asks;
use crate::harness::child::{Serving, creditd};
use crate::harness::wait::until;
use crate::harness::{Client, Database};

async fn keys(database: &Database, line: &str) -> Output {
    let mut command = creditd();
    command.arg("keys").args(line.split(' ')).args(["--database-url", &database.url]);
    command.output().await.expect("a command")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// How the server at this port answers who sends no key.
async fn unknown(serving: &Serving) -> Code {
    let port = serving.address.port();
    let client = Client::to(([127, 0, 0, 1], port).into());
    let request =
        creditd::pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
    let answer = client.credits.clone().get_balance(request).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_listed_and_revoked() {
    let database = Database::create().await;
    let serving = Serving::start_with(&database.url, &["--identity", "required"]).await;
    assert_eq!(unknown(&serving).await, Code::Unauthenticated);
    let made = keys(&database, "create --role meter --name gateway --expires-in 90d").await;
    assert!(made.status.success(), "{made:?}");
    let key = KeyText::parse(text(&made.stdout).trim()).expect("a key alone");
    let client = serving.client();
    until("it opens", async || asks(&client, &key).await == Code::Ok).await;
    let listed = text(&keys(&database, "list").await.stdout);
    let line = listed.lines().find(|line| line.starts_with(&key.id.to_string())).expect("a line");
    for word in ["gateway", "meter", "taken"] {
        assert!(line.contains(word), "{line}");
    }
    assert!(!listed.contains(key.reveal()), "{listed}");
    let revoked = keys(&database, &format!("revoke {}", key.id)).await;
    assert!(revoked.status.success(), "{revoked:?}");
    assert!(text(&keys(&database, "list").await.stdout).contains("revoked 20"));
    until("it is closed", async || asks(&client, &key).await == Code::Unauthenticated).await;
    // Again is no fault.
    assert!(keys(&database, &format!("revoke {}", key.id)).await.status.success());
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_or_revoked_is_told() {
    let database = Database::create().await;
    for (line, why) in [
        ("create --role root --name a", "must be reader, meter or admin"),
        ("create --role admin --name anonymous", "neither anonymous nor creditd"),
        ("create --role admin --name CN:a", "letters, digits"),
        ("create --role admin --name a --expires-in 0s", "more than nothing"),
        ("revoke abc", "must be the id of a key"),
        ("revoke 00000000000000000000000000000000", "there is no key"),
    ] {
        let said = keys(&database, line).await;
        assert!(!said.status.success(), "{line}");
        assert!(text(&said.stderr).contains(why), "{line}: {}", text(&said.stderr));
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_to_the_world_asks_who_calls() {
    let database = Database::create().await;
    for (flags, answer) in [(&[][..], Code::Unauthenticated), (&["--identity", "off"], Code::Ok)] {
        let serving = Serving::listening("0.0.0.0:0", &database.url, flags).await;
        assert_eq!(unknown(&serving).await, answer, "{flags:?}");
        assert!(serving.stop().await.success());
    }
    database.drop().await;
}
