//! While the database is away everything is told UNAVAILABLE, and nothing is half done.

use creditd::pb;

use crate::harness::postgres::{Fall, Postgres};
use crate::harness::wait::until;
use crate::harness::{Client, Database, Options, Server, load, notify};

/// What each call says to this endpoint and this delivery, where all of them fail.
async fn told(
    client: &Client,
    create: pb::CreateWebhookEndpointRequest,
    endpoint: &str,
    delivery: &str,
) -> Vec<tonic::Status> {
    let list = pb::ListWebhookEndpointsRequest {};
    let listed = client.notifications.clone().list_webhook_endpoints(list).await;
    let get = pb::GetNotificationSettingsRequest {};
    let got = client.notifications.clone().get_notification_settings(get).await;
    vec![
        client.try_create_endpoint(create).await.expect_err("no database"),
        client.try_get_endpoint(endpoint).await.expect_err("no database"),
        listed.expect_err("no database"),
        client.try_update_endpoint(notify::update(endpoint, &["disabled"])).await.unwrap_err(),
        client.try_delete_endpoint(endpoint).await.expect_err("no database"),
        client.try_rotate(endpoint).await.expect_err("no database"),
        client.try_send_test(endpoint).await.expect_err("no database"),
        got.expect_err("no database"),
        client.try_update_settings(notify::warnings(&[1])).await.expect_err("no database"),
        client.try_list_deliveries(pb::ListDeliveriesRequest::default()).await.unwrap_err(),
        client.try_retry(delivery).await.expect_err("no database"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_hear_of_a_database_that_is_away() {
    let mut postgres = Postgres::start().await;
    let database = Database::create_on(postgres.url()).await;
    let options = Options { delivers: false, ..Options::default() };
    let server = Server::start(&database.url, &options).await;
    let client = server.client();
    let request_id = "r1".to_owned();
    let create =
        pb::CreateWebhookEndpointRequest { request_id, ..notify::endpoint("https://a.example") };
    let (made, _) = client.create_endpoint(create.clone()).await;
    let sent = client.try_send_test(&made.id).await.expect("a delivery");
    let settings = client.settings().await;

    postgres.fall(Fall::Fast).await;
    for status in told(&client, create.clone(), &made.id, &sent.id).await {
        load::unavailable(&status);
    }

    postgres.rise().await;
    until("it is back", async || client.try_get_endpoint(&made.id).await.is_ok()).await;
    assert_eq!(client.endpoints().await, std::slice::from_ref(&made));
    assert_eq!(client.deliveries().await, [sent]);
    assert_eq!(client.settings().await, settings);
    assert!(client.try_create_endpoint(create).await.expect("a replay").replayed);
    server.stop().await;
    database.audit().await;
    postgres.fall(Fall::Fast).await;
}
