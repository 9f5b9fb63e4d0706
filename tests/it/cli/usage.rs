//! `creditd usage`.

use serde_json::json;

use super::{run, says, tells};
use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_recorded_once_under_the_key_that_was_printed() {
    World::run(async |world| {
        let grant = world.client.grant(say::units("acme", "100")).await.id;
        let line = "usage record --customer acme --metric tokens --quantity 120.5 --metadata r=eu";
        let said = run(world, line).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let key = said.err.strip_prefix("event id ").and_then(|rest| rest.split_once(':'));
        let (key, _) = key.expect("a key");
        assert_eq!(
            said.out,
            format!(
                "event      {key}\n\
                 customer   acme\n\
                 metric     tokens\n\
                 quantity   120.5\n\
                 covered    100\n\
                 uncovered  20.5\n\
                 reversed   0\n\
                 timestamp  2026-01-01T00:00:00Z\n\
                 recorded   2026-01-01T00:00:00Z\n\
                 metadata   r=eu\n\
                 \n\
                 PAID BY GRANT                         AMOUNT\n\
                 {grant}     100\n"
            )
        );
        let again = run(world, &format!("{line} --event-id {key} --json")).await;
        assert_eq!(again.err, "recorded before: this call drew nothing\n");
        let told: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
        assert_eq!((&told["duplicate"], &told["event"]["covered"]), (&json!(true), &json!("100")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uncovered_usage_is_refused_on_demand() {
    World::run(async |world| {
        let line = "usage record --customer acme --metric tokens --quantity 1 --event-id e1";
        let said = run(world, &format!("{line} --reject")).await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
        assert!(said.err.contains("(INSUFFICIENT_CREDITS)"), "{}", said.err);
        assert!(world.client.events("acme").await.is_empty());
        let line = format!("{line} --timestamp 2025-12-31");
        assert_eq!(tells(world, &line).await[0]["event"]["timestamp"], "2025-12-31T00:00:00Z");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_and_filtered() {
    World::run(async |world| {
        let grant = world.client.grant(say::units("acme", "5")).await.id;
        world.client.record(say::usage("acme", "e1", "tokens", "12.5")).await;
        world.client.record(say::usage("acme", "e2", "calls", "1")).await;
        assert_eq!(
            says(world, "usage list acme").await,
            "TIMESTAMP             EVENT  METRIC  QUANTITY  COVERED  UNCOVERED  REVERSED\n\
             2026-01-01T00:00:00Z  e1     tokens      12.5        5        7.5         0\n\
             2026-01-01T00:00:00Z  e2     calls          1        0          1         0\n"
        );
        let ids = async |line: &str| {
            let events = tells(world, &format!("usage list acme {line}")).await;
            events.iter().map(|event| event["eventId"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids("--metric calls").await, ["e2"]);
        assert_eq!(ids(&format!("--grant {grant}")).await, ["e1"]);
        let all = "--timestamp-after 2026-01-01 --timestamp-before 2026-01-02 \
                   --recorded-after 2026-01-01";
        assert_eq!(ids(all).await, ["e1", "e2"]);
        for none in ["--recorded-after 2026-01-02", "--timestamp-before 2026-01-01"] {
            let said = run(world, &format!("usage list acme {none}")).await;
            assert_eq!(said.err, "no usage events\n");
        }
    })
    .await;
}
