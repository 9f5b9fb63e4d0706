//! `creditd balance` and `creditd ledger`.

use creditd::pb;
use serde_json::json;

use super::{run, says, tells};
use crate::harness::{World, say};

/// Money, and units for tokens until the second hour, of which 30 are used.
async fn spend(world: &World) -> [String; 2] {
    let money = world.client.grant(say::money("acme", "7", "USD")).await;
    let units = pb::CreateGrantRequest {
        metrics: say::names(&["tokens"]),
        priority: Some(3),
        expires_at: say::hour(2),
        ..say::units("acme", "100")
    };
    let units = world.client.grant(units).await;
    world.client.record(say::usage("acme", "e1", "tokens", "30.5")).await;
    [money.id, units.id]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_shows_totals_order_and_expirations() {
    World::run(async |world| {
        let empty = "acme at 2026-01-01T00:00:00Z, revision 0\n\nnothing to spend\n";
        assert_eq!(says(world, "balance acme").await, empty);
        let [money, units] = spend(world).await;
        assert_eq!(
            says(world, "balance acme").await,
            format!(
                "acme at 2026-01-01T00:00:00Z, revision 3\n\
                 \n\
                 CREDITS           AVAILABLE  HELD  REMAINING\n\
                 USD                    7.00  0.00       7.00\n\
                 units for tokens       69.5     0       69.5\n\
                 \n\
                 In the order of consumption:\n\
                 GRANT                                 STATUS  PRIORITY  EXPIRES               \
                 AVAILABLE  HELD  REMAINING\n\
                 {units}  active         3  2026-01-01T02:00:00Z       69.5     0       69.5\n\
                 {money}  active        50  never                      7.00  0.00       7.00\n\
                 \n\
                 Will expire:\n\
                 EXPIRES               AMOUNT  CREDITS           GRANT\n\
                 2026-01-01T02:00:00Z    69.5  units for tokens  {units}\n"
            )
        );
        let told = tells(world, "balance acme --currency USD").await;
        let balance = &told[0]["balance"];
        assert_eq!((&balance["revision"], &balance["customerId"]), (&json!("3"), &json!("acme")));
        assert_eq!(balance["totals"].as_array().map(Vec::len), Some(1));
        let empty = "acme at 2025-12-31T00:00:00Z, revision 0\n\nnothing to spend\n";
        assert_eq!(says(world, "balance acme --as-of 2025-12-31").await, empty);
        let told = tells(world, "balance acme --as-of 2026-01-01T00:00:00Z").await;
        assert_eq!(told, tells(world, "balance acme").await);
        let told = tells(world, "balance acme --metric tokens").await;
        assert_eq!(told[0]["balance"]["totals"][0]["available"], "69.5");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_tells_what_moved_and_why() {
    World::run(async |world| {
        let [money, units] = spend(world).await;
        let update = pb::UpdateGrantRequest {
            priority: Some(9),
            expires_at: say::hour(3),
            ..say::update(&units, &["priority", "expires_at"])
        };
        world.client.update(update).await;
        world.client.void(&money, "left us").await;
        assert_eq!(
            says(world, "ledger acme").await,
            format!(
                "SEQUENCE  RECORDED              TYPE      AMOUNT  BALANCE  HELD  \
                 GRANT                                 CAUSE\n       \
                 1  2026-01-01T00:00:00Z  granted     7.00     7.00  0.00  {money}\n       \
                 2  2026-01-01T00:00:00Z  granted      100      100     0  {units}\n       \
                 3  2026-01-01T00:00:00Z  consumed   -30.5     69.5     0  {units}  event e1\n       \
                 4  2026-01-01T00:00:00Z  updated        0     69.5     0  {units}  priority 3 -> 9, \
                 expires 2026-01-01T02:00:00Z -> 2026-01-01T03:00:00Z\n       \
                 5  2026-01-01T00:00:00Z  voided     -7.00     0.00  0.00  {money}  left us\n"
            )
        );
        let sequences = async |line: &str| {
            let entries = tells(world, &format!("ledger acme {line}")).await;
            entries.iter().map(|entry| entry["sequence"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(sequences("--type voided --type granted").await, ["1", "2", "5"]);
        assert_eq!(sequences(&format!("--grant {money}")).await, ["1", "5"]);
        assert_eq!(sequences("--event e1").await, ["3"]);
        assert_eq!(sequences("--after-sequence 3").await, ["4", "5"]);
        assert_eq!(sequences("--recorded-after 2026-01-01 --after-sequence 4").await, ["5"]);
        let none = run(world, "ledger acme --recorded-before 2026-01-01").await;
        assert_eq!((none.out.as_str(), none.err.as_str()), ("", "no ledger entries\n"));
    })
    .await;
}
