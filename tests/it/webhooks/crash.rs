//! Crashes between commit and delivery: nothing is missing, and what comes twice carries the same
//! id.

use std::collections::HashMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Post, ids};
use crate::harness::child::Serving;
use crate::harness::postgres::{Fall, Postgres};
use crate::harness::receiver::{Answer, Receiver};
use crate::harness::{Client, Database, Options, Server, say};

const GRANTS: usize = 60;
/// Claims of who was killed last 5 s longer.
const DELIVERS: [&str; 3] =
    ["--webhook-allow-http", "--webhook-allow-private", "--webhook-timeout=2s"];

impl Post {
    /// Lets an endpoint be told of every grant that is made.
    async fn subscribe(&self, endpoint: Uuid) {
        let interests = serde_json::json!({
            "endpoints": [{"id": endpoint.to_string(), "types": ["grant.created"]}],
            "warnings": [],
            "thresholds": [],
        });
        let update = "UPDATE notification_settings \
                      SET interests = $1::text::jsonb, version = version + 1";
        self.sql.execute(update, &[&interests.to_string()]).await.expect("a subscription");
    }
}

async fn grants(client: &Client) {
    for number in 0..GRANTS {
        let grant = say::units(&format!("customer-{number}"), "5");
        client.credits.clone().create_grant(grant).await.expect("a grant");
    }
}

/// Waits until all grants were told of; that each was, and that what came twice is the same.
async fn assert_all_are_told(post: &Post, endpoint: Uuid, receiver: &Receiver) {
    let all = i64::try_from(GRANTS).expect("few");
    post.until_delivered(endpoint, all).await;
    let mut bodies: HashMap<String, String> = HashMap::new();
    for received in receiver.seen() {
        let first = bodies.entry(received.id().to_owned()).or_insert(received.body.clone());
        assert_eq!(*first, received.body);
        let body: serde_json::Value = serde_json::from_str(&received.body).expect("JSON");
        assert_eq!(body["id"], received.id());
    }
    assert_eq!(bodies.len(), GRANTS);
    for number in 0..GRANTS {
        let customer = format!("\"customer-{number}\"");
        assert!(bodies.values().any(|body| body.contains(&customer)), "{customer} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creditd_is_killed_between_commit_and_delivery() {
    let database = Database::create().await;
    let post = Post::of(&database).await;
    let receiver = Receiver::start().await;
    let endpoint = post.endpoint(&receiver.url()).await;
    post.subscribe(endpoint).await;
    let serving = Serving::start_with(&database.url, &["--no-webhooks"]).await;
    grants(&serving.client()).await;
    serving.kill().await;
    assert!(receiver.seen().is_empty());
    let serving = Serving::start_with(&database.url, &DELIVERS).await;
    assert_all_are_told(&post, endpoint, &receiver).await;
    assert_eq!(receiver.seen().len(), GRANTS);
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creditd_is_killed_in_the_middle_of_attempts() {
    let database = Database::create().await;
    let post = Post::of(&database).await;
    let killed = CancellationToken::new();
    let receiver = Receiver::answering(Answer::Wait(killed.clone())).await;
    let endpoint = post.endpoint(&receiver.url()).await;
    post.subscribe(endpoint).await;
    let serving = Serving::start_with(&database.url, &DELIVERS).await;
    grants(&serving.client()).await;
    receiver.until_seen(1).await;
    serving.kill().await;
    let (before, _) = ids(&receiver);
    killed.cancel();
    let serving = Serving::start_with(&database.url, &DELIVERS).await;
    assert_all_are_told(&post, endpoint, &receiver).await;
    let again = |id: &String| receiver.seen().iter().filter(|each| each.id() == id).count() > 1;
    assert!(before.iter().all(again), "what was cut off is sent again");
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_falls_between_deliveries_and_rises() {
    const ALL: i32 = 600;
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let mut options = Options::real();
    options.webhooks.timeout = Duration::from_secs(2);
    let server = Server::start(&database.url, &options).await;
    let receiver = Receiver::start().await;
    let post = Post::of(&database).await;
    let endpoint = post.endpoint(&receiver.url()).await;
    post.deliveries(endpoint, ALL).await;
    receiver.until_seen(100).await;
    postgres.fall(Fall::Killed).await;
    postgres.rise().await;
    let post = Post::of(&database).await;
    post.until_delivered(endpoint, ALL.into()).await;
    let (ids, seen) = ids(&receiver);
    let all = usize::try_from(ALL).expect("few");
    assert_eq!(ids.len(), all, "of {seen} that were received");
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}
