//! `creditd grants`.

use serde_json::json;

use super::{run, says, tells};
use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_created_once_under_the_key_that_was_printed() {
    World::run(async |world| {
        let line = "grants create --customer acme --amount 100.50 --metric b --metric a \
                    --category promotional --expires-at 2026-12-31 --metadata order=7";
        let said = run(world, line).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let key = said.err.strip_prefix("request id ").and_then(|rest| rest.split_once(':'));
        let (key, _) = key.expect("a key");
        let id = said.out.lines().next().and_then(|line| line.strip_prefix("grant       "));
        let id = id.expect("an id").trim();
        let expected = format!(
            "grant       {id}\n\
             customer    acme\n\
             credits     units for a, b\n\
             status      active\n\
             amount      100.5\n\
             remaining   100.5\n\
             held        0\n\
             consumed    0\n\
             expired     0\n\
             voided      0\n\
             priority    10\n\
             category    promotional\n\
             effective   2026-01-01T00:00:00Z\n\
             expires     2027-01-01T00:00:00Z\n\
             created     2026-01-01T00:00:00Z\n\
             created by  anonymous\n\
             updated     2026-01-01T00:00:00Z\n\
             metadata    order=7\n"
        );
        assert_eq!(said.out, expected);
        assert_eq!(says(world, &format!("grants get {id}")).await, expected);

        let again = run(world, &format!("{line} --request-id {key} --json")).await;
        assert_eq!(again.err, "created before: this call created nothing\n");
        let told: serde_json::Value = serde_json::from_str(&again.out).expect("JSON");
        assert_eq!((&told["replayed"], &told["grant"]["id"]), (&json!(true), &json!(id)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_makes_it_money_and_validation_writes_nothing() {
    World::run(async |world| {
        let line = "grants create --customer acme --amount 5 --currency EUR --request-id r1";
        let said = run(world, &format!("{line} --validate-only")).await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), "valid: nothing was written\n"));
        assert!(said.out.starts_with("customer    acme\ncredits     EUR\n"), "{}", said.out);
        assert_eq!(run(world, "grants list").await.err, "no grants\n");

        let made = tells(world, line).await;
        let grant = &made[0]["grant"];
        let id = grant["id"].as_str().expect("an id");
        let expected = json!({
            "id": id,
            "customerId": "acme",
            "type": "GRANT_TYPE_MONETARY",
            "amount": "5.00",
            "currency": "EUR",
            "priority": 50,
            "status": "GRANT_STATUS_ACTIVE",
            "effectiveAt": "2026-01-01T00:00:00Z",
            "remaining": "5.00",
            "held": "0.00",
            "consumed": "0.00",
            "expired": "0.00",
            "voided": "0.00",
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
            "createdBy": "anonymous",
        });
        assert_eq!(*grant, expected);
        assert_eq!(tells(world, &format!("grants get {id}")).await, [json!({ "grant": grant })]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_listed_and_filtered() {
    World::run(async |world| {
        let units = world.client.grant(say::units("acme", "100")).await;
        let money = world.client.grant(say::money("globex", "7", "USD")).await;
        world.client.void(&money.id, "left us").await;
        let (first, second) = (&units.id, &money.id);
        let title = "GRANT                                 CUSTOMER  STATUS  AMOUNT  REMAINING  \
                     CREDITS               PRIORITY  EXPIRES";
        assert_eq!(
            says(world, "grants list").await,
            format!(
                "{title}\n\
                 {first}  acme      active     100        100  units for any metric        50  never\n\
                 {second}  globex    voided    7.00       0.00  USD                         50  never\n"
            )
        );
        let ids = async |line: &str| {
            let grants = tells(world, &format!("grants list {line}")).await;
            grants.iter().map(|grant| grant["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids("acme").await, [units.id.as_str()]);
        assert_eq!(ids("--type monetary --currency USD").await, [money.id.as_str()]);
        assert_eq!(ids("--status active --status pending").await, [units.id.as_str()]);
        assert_eq!(ids("--created-after 2026-01-01").await.len(), 2);
        for none in ["--created-before 2026-01-01", "--metric m", "--expires-before 2030-01-01"] {
            assert_eq!(run(world, &format!("grants list {none}")).await.err, "no grants\n");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_named_is_changed() {
    World::run(async |world| {
        let made = world.client.grant(say::units("acme", "100")).await;
        let id = &made.id;
        let line = format!(
            "grants update {id} --priority 7 --expires-at 2026-02-28 --description new \
             --metadata a=1 --metadata b=x=y"
        );
        let told = says(world, &line).await;
        assert!(told.contains("\npriority     7\n"), "{told}");
        assert!(told.contains("\nexpires      2026-03-01T00:00:00Z\n"), "{told}");
        assert!(
            told.ends_with("description  new\nmetadata     a=1\nmetadata     b=x=y\n"),
            "{told}"
        );

        let line = format!("grants update {id} --default-priority --never-expires");
        let told = tells(world, &line).await;
        let grant = &told[0]["grant"];
        assert_eq!((&grant["priority"], &grant["expiresAt"]), (&json!(50), &json!(null)));
        assert_eq!(grant["metadata"], json!({ "a": "1", "b": "x=y" }));
        says(world, &format!("grants update {id} --clear-metadata")).await;
        let now = world.client.fetch(id).await;
        assert_eq!((now.metadata.len(), now.description.as_str()), (0, "new"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_voided_once() {
    World::run(async |world| {
        let made = world.client.grant(say::units("acme", "100")).await;
        let told = says(world, &format!("grants void {} --reason refunded", made.id)).await;
        assert!(told.contains("\nstatus       voided\n"), "{told}");
        assert!(told.contains("\nvoid reason  refunded\n"), "{told}");
        let told = tells(world, &format!("grants void {} --reason again", made.id)).await;
        let grant = &told[0]["grant"];
        assert_eq!(grant["voidReason"], "refunded");
        assert_eq!(grant["status"], "GRANT_STATUS_VOIDED");
    })
    .await;
}
