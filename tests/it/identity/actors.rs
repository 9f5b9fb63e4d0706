//! Who did it stands in the ledger.

use creditd::domain::identity::Role;
use creditd::pb;
use creditd::pb::LedgerEntryType::{Consumed, Granted, Held, HoldReleased, UsageReversed, Voided};

use super::{asks, guarded, key, with};
use crate::harness::wait::until;
use crate::harness::{World, say};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_names_who_made_it() {
    World::run_with(guarded(), async |world| {
        let billing = key(&world.database, "billing@prod", Role::Admin).await;
        let meter = key(&world.database, "gateway/eu-1", Role::Meter).await;
        for key in [&billing, &meter] {
            until("it opens", async || asks(&world.client, key).await == Code::Ok).await;
        }
        let (mut credits, mut usage) = (world.client.credits.clone(), world.client.usage.clone());
        let made = credits.create_grant(with(say::units("acme", "10"), &billing)).await;
        let grant = made.expect("a grant").into_inner().grant.expect("a grant");
        assert_eq!(grant.created_by, "billing@prod");
        usage.record_usage(with(say::usage("acme", "e1", "m", "1"), &meter)).await.expect("usage");
        let events = vec![say::usage("acme", "e2", "m", "1")];
        let stream = tokio_stream::iter([pb::StreamUsageRequest { events }]);
        let answers = usage.stream_usage(with(stream, &meter)).await.expect("a stream");
        answers.into_inner().message().await.expect("an answer").expect("an answer");
        usage.create_hold(with(say::hold("acme", "h1", "m", "2"), &meter)).await.expect("a hold");
        let settle = say::settle("acme", "h1", "1");
        usage.settle_hold(with(settle, &meter)).await.expect("a settlement");
        let reverse = say::reverse_usage("acme", "e1", "");
        usage.reverse_usage(with(reverse, &billing)).await.expect("a reversal");
        let void = pb::VoidGrantRequest { grant_id: grant.id, reason: "r".into() };
        credits.void_grant(with(void, &billing)).await.expect("a void");
        let list =
            pb::ListLedgerEntriesRequest { customer_id: "acme".into(), ..Default::default() };
        let listed = credits.list_ledger_entries(with(list, &meter)).await.expect("entries");
        let actors: Vec<(pb::LedgerEntryType, String)> = listed
            .into_inner()
            .entries
            .into_iter()
            .map(|entry| (entry.r#type(), entry.actor))
            .collect();
        let by = |kind, actor: &str| (kind, actor.to_owned());
        assert_eq!(
            actors,
            [
                by(Granted, "billing@prod"),
                by(Consumed, "gateway/eu-1"),
                by(Consumed, "gateway/eu-1"),
                by(Held, "gateway/eu-1"),
                by(Consumed, "gateway/eu-1"),
                by(HoldReleased, "gateway/eu-1"),
                by(UsageReversed, "billing@prod"),
                by(Voided, "billing@prod"),
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bulk_of_it_too() {
    World::run_with(guarded(), async |world| {
        let billing = key(&world.database, "billing", Role::Admin).await;
        until("it opens", async || asks(&world.client, &billing).await == Code::Ok).await;
        let mut credits = world.client.credits.clone();
        let rows =
            vec![pb::CreateGrantRequest { request_id: String::new(), ..say::units("acme", "1") }];
        let batch = pb::ImportBatch { first_row: 1, rows };
        let header = pb::ImportHeader { import_id: "i1".into(), dry_run: false };
        let messages = [
            pb::import_grants_request::Message::Header(header),
            pb::import_grants_request::Message::Batch(batch),
        ];
        let messages = messages.map(|message| pb::ImportGrantsRequest { message: Some(message) });
        let sent = with(tokio_stream::iter(messages), &billing);
        let mut answers = credits.import_grants(sent).await.expect("an import").into_inner();
        while answers.message().await.expect("an answer").is_some() {}
        let (import_id, reason) = ("i1".into(), "r".into());
        let void = pb::VoidGrantsRequest { import_id, reason, ..Default::default() };
        let mut voided =
            credits.void_grants(with(void, &billing)).await.expect("a void").into_inner();
        while voided.message().await.expect("an answer").is_some() {}
        let list =
            pb::ListLedgerEntriesRequest { customer_id: "acme".into(), ..Default::default() };
        let listed = credits.list_ledger_entries(with(list, &billing)).await.expect("entries");
        let actors = listed.into_inner().entries.into_iter().map(|entry| entry.actor);
        assert_eq!(actors.collect::<Vec<_>>(), ["billing", "billing"]);
    })
    .await;
}
