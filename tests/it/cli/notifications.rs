//! `creditd webhooks`, `creditd deliveries` and `creditd notifications`.

use serde_json::json;

use super::{run, says, tells};
use crate::harness::{World, notify, say};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_once_under_the_key_that_was_printed() {
    World::run_silent(async |world| {
        let line = "webhooks create https://example.com/hooks --event hold.expired --event \
                    grant.voided --description CRM";
        let said = run(world, line).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let key = said.err.strip_prefix("request id ").and_then(|rest| rest.split_once(':'));
        let (key, _) = key.expect("a key");
        let id = world.client.endpoints().await.remove(0).id;
        let (shown, secret) = said.out.split_once("secret            ").expect("a secret");
        let expected = format!(
            "webhook endpoint  {id}\n\
             url               https://example.com/hooks\n\
             events            grant.voided, hold.expired\n\
             description       CRM\n\
             state             enabled\n\
             created           2026-01-01T00:00:00Z\n\
             updated           2026-01-01T00:00:00Z\n"
        );
        assert_eq!(shown, expected);
        assert_eq!(says(world, &format!("webhooks get {id}")).await, expected);
        let again = run(world, &format!("{line} --request-id {key} --json")).await;
        assert_eq!(again.err, "made before: this call made no endpoint\n");
        let told: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
        assert_eq!((&told["replayed"], &told["secret"]), (&json!(true), &json!(secret.trim())));
        let rotated = tells(world, &format!("webhooks rotate-secret {id}")).await.remove(0);
        assert_ne!(rotated["secret"], told["secret"]);
        assert_eq!(rotated["endpoint"]["oldSecretsUntil"], "2026-01-02T00:00:00Z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_listed_changed_and_deleted() {
    World::run_silent(async |world| {
        assert_eq!(run(world, "webhooks list").await.err, "no webhook endpoints\n");
        let (one, _) = world.client.create_endpoint(notify::endpoint("https://a.example")).await;
        let asked = notify::subscribed("https://b.example", &["balance.low"]);
        let (two, _) = world.client.create_endpoint(asked).await;
        let update = format!("webhooks update {}", one.id);
        let told = tells(world, &format!("{update} --disable --event grant.created")).await;
        assert_eq!(told[0]["endpoint"]["disabled"], true);
        assert_eq!(
            says(world, "webhooks list").await,
            format!(
                "WEBHOOK ENDPOINT                      STATE     URL                EVENTS\n\
                 {}  disabled  https://a.example  grant.created\n\
                 {}  enabled   https://b.example  balance.low\n",
                one.id, two.id
            )
        );
        let back = "--enable --all-events --url https://c.example --description d";
        says(world, &format!("{update} {back}")).await;
        let expected = creditd::pb::WebhookEndpoint {
            url: "https://c.example".to_owned(),
            description: "d".to_owned(),
            ..one.clone()
        };
        assert_eq!(world.client.get_endpoint(&one.id).await, expected);
        let said = run(world, &update).await;
        assert_eq!((said.code, said.err.contains("--url <URL>")), (Some(2), true), "{}", said.err);
        assert_eq!(says(world, &format!("webhooks delete {}", one.id)).await, "deleted\n");
        let gone = run(world, &format!("webhooks get {}", one.id)).await;
        assert_eq!(gone.code, Some(1));
        assert!(gone.err.contains("(ENDPOINT_NOT_FOUND)"), "{}", gone.err);
        assert_eq!(tells(world, "webhooks list").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_and_sent_again() {
    World::run_silent(async |world| {
        assert_eq!(run(world, "deliveries list").await.err, "no deliveries\n");
        let (to, _) = world.client.create_endpoint(notify::endpoint("https://a.example")).await;
        let sent = tells(world, &format!("webhooks test {}", to.id)).await.remove(0);
        let id = sent["delivery"]["id"].as_str().expect("an id");
        assert_eq!(
            says(world, "deliveries list").await,
            format!(
                "DELIVERY                              CREATED               EVENT              \
                 CUSTOMER  STATUS   ATTEMPTS  NEXT ATTEMPT          ERROR\n\
                 {id}  2026-01-01T00:00:00Z  notification.test            pending         0  \
                 2026-01-01T00:00:00Z\n"
            )
        );
        let notification = sent["delivery"]["notificationId"].as_str().expect("an id");
        let facts = format!(
            "delivery          {id}\n\
             webhook endpoint  {}\n\
             notification      {notification}\n\
             event             notification.test\n\
             status            pending\n\
             attempts          0\n\
             created           2026-01-01T00:00:00Z\n\
             next attempt      2026-01-01T00:00:00Z\n",
            to.id
        );
        assert_eq!(says(world, &format!("deliveries retry {id}")).await, facts);
        world.client.grant(say::units("acme", "1")).await;
        let count = async |line: &str| tells(world, &format!("deliveries list {line}")).await.len();
        assert_eq!(count("--status pending --event notification.test").await, 1);
        assert_eq!(count(&format!("--webhook {} --customer acme", to.id)).await, 1);
        let said = run(world, "deliveries list --status parked --status delivered").await;
        assert_eq!(said.err, "no deliveries\n");
        let said = run(world, "deliveries list --limit 1").await;
        assert_eq!(said.err, "there are more deliveries: --limit 0 lists all\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_and_set() {
    World::run_silent(async |world| {
        let shown = "warnings before expiry  30d, 3d\n";
        assert_eq!(says(world, "notifications get").await, shown);
        let line = "notifications set --warning 12h --warning 7d --metric-threshold tokens=10:15 \
                    --currency-threshold USD=5";
        let shown = "warnings before expiry  7d, 12h\n\
                     updated                 2026-01-01T00:00:00Z\n\
                     \n\
                     CREDITS           LOW BELOW  RECOVERED FROM\n\
                     units for tokens         10              15\n\
                     USD                    5.00            5.00\n";
        assert_eq!(says(world, line).await, shown);
        assert_eq!(says(world, "notifications get").await, shown);
        let told = tells(world, "notifications set --no-warnings").await.remove(0);
        assert_eq!(told["settings"]["balanceThresholds"].as_array().map(Vec::len), Some(2));
        let shown = "warnings before expiry  none\n\
                     updated                 2026-01-01T00:00:00Z\n";
        assert_eq!(says(world, "notifications set --no-thresholds").await, shown);
        let said = run(world, "notifications set --currency-threshold USD=0.001").await;
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("balance_thresholds[0].amount"), "{}", said.err);
    })
    .await;
}
