//! Exports: their filters.

use creditd::pb;

use super::{Spot, refuses};
use crate::harness::{World, say};

type Report = pb::ExportCreditReportRequest;
type Ledgers = pb::ExportLedgerRequest;

#[tokio::test(flavor = "multi_thread")]
async fn of_grants() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Report>] = &[
            Spot::OptionalId("customer_id", |r| &mut r.customer_id),
            Spot::Enum("type", |r| &mut r.r#type),
            Spot::Case("statuses[1]", |r| r.statuses = vec![1, 0, 5]),
            Spot::Time("created_after", |r| &mut r.created_after),
            Spot::Time("created_before", |r| &mut r.created_before),
            Spot::Time("as_of", |r| &mut r.as_of),
            Spot::OptionalId("import_id", |r| &mut r.import_id),
            Spot::OptionalId("campaign_id", |r| &mut r.campaign_id),
        ];
        refuses(world, Report::default(), spots, on!(client, try_report)).await;
        let others: &[Spot<Report>] = &[
            Spot::Case("statuses[0]", |r| r.statuses = vec![6]),
            Spot::Case("created_before", |r| {
                (r.created_after, r.created_before) = (say::hour(2), say::hour(2));
            }),
            Spot::Case("as_of", |r| r.as_of = say::hour(1)),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, Report::default(), other, on!(client, try_report)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_entries() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Ledgers>] = &[
            Spot::Case("types[1]", |r| r.types = vec![1, 0]),
            Spot::Time("recorded_after", |r| &mut r.recorded_after),
            Spot::Time("recorded_before", |r| &mut r.recorded_before),
            Spot::OptionalId("customer_id", |r| &mut r.customer_id),
        ];
        refuses(world, Ledgers::default(), spots, on!(client, try_ledgers)).await;
        let others: &[Spot<Ledgers>] = &[
            Spot::Case("types[0]", |r| r.types = vec![12]),
            Spot::Case("recorded_before", |r| {
                (r.recorded_after, r.recorded_before) = (say::hour(2), say::hour(2));
            }),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, Ledgers::default(), other, on!(client, try_ledgers)).await;
        }
    })
    .await;
}
