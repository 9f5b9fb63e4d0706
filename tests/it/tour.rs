//! The shortest tour: a grant, usage that spans two grants, the balance, the ledger, a void.

use creditd::pb;

use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_made_spent_and_voided() {
    World::run(async |world| {
        let mut credits = world.client.credits.clone();
        let mut usage = world.client.usage.clone();
        let first = pb::CreateGrantRequest {
            category: pb::GrantCategory::Promotional.into(),
            ..say::units("acme", "100")
        };
        let first = credits.create_grant(first).await.expect("a grant").into_inner().grant;
        let first = first.expect("a grant");
        assert_eq!((first.priority, first.remaining.as_str()), (10, "100"));
        let second = credits.create_grant(say::units("acme", "50")).await.expect("a grant");
        let second = second.into_inner().grant.expect("a grant");

        let event = say::usage("acme", "e1", "tokens", "120.5");
        let event = usage.record_usage(event).await.expect("usage").into_inner();
        assert!(!event.duplicate);
        let event = event.event.expect("an event");
        assert_eq!((event.covered.as_str(), event.uncovered.as_str()), ("120.5", "0"));
        let paid: Vec<_> =
            event.allocations.iter().map(|a| (a.grant_id.as_str(), a.amount.as_str())).collect();
        assert_eq!(paid, [(first.id.as_str(), "100"), (second.id.as_str(), "20.5")]);

        let balance = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
        let balance = credits.get_balance(balance).await.expect("a balance").into_inner();
        let balance = balance.balance.expect("a balance");
        assert_eq!((balance.revision, balance.totals[0].available.as_str()), (4, "29.5"));

        let void = pb::VoidGrantRequest { grant_id: second.id, reason: "left us".into() };
        let voided = credits.void_grant(void).await.expect("a void").into_inner().grant;
        let voided = voided.expect("a grant");
        assert_eq!((voided.voided.as_str(), voided.status()), ("29.5", pb::GrantStatus::Voided));

        let list =
            pb::ListLedgerEntriesRequest { customer_id: "acme".into(), ..Default::default() };
        let entries = credits.list_ledger_entries(list).await.expect("a ledger").into_inner();
        let amounts: Vec<_> = entries.entries.iter().map(|e| e.amount.as_str()).collect();
        assert_eq!(amounts, ["100", "50", "-100", "-20.5", "-29.5"]);
    })
    .await;
}
