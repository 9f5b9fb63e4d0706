//! What the filters keep, and in which order.

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus as Status, GrantType, LedgerEntryType as Type};

use crate::harness::{World, say, t0};

type Report = pb::ExportCreditReportRequest;
type Ledgers = pb::ExportLedgerRequest;

/// Six grants of three customers, one an hour, and one in every status at hour 10.
async fn story(world: &mut World) -> Vec<pb::Grant> {
    let client = world.client.clone();
    let units = |customer, amount| say::units(customer, amount);
    let first = pb::CreateGrantRequest { priority: Some(1), ..units("acme", "1") };
    let ending = pb::CreateGrantRequest { expires_at: say::hour(9), ..units("acme", "2") };
    let later = pb::CreateGrantRequest { effective_at: say::hour(20), ..units("umbrella", "3") };
    let hour = TimeDelta::hours(1);
    let mut grants = Vec::new();
    for asked in [first, ending, later, say::money("acme", "4", "USD")] {
        grants.push(client.grant(asked).await);
        world.advance(hour).await;
    }
    let rows = vec![say::row("initech", "5"), say::row("umbrella", "6.5")];
    for made in client.import("i1", rows).await.results {
        grants.push(client.fetch(&made.grant_id).await);
    }
    world.advance(hour).await;
    client.record(say::usage("acme", "e1", "m", "1")).await;
    world.advance(hour).await;
    client.record(say::usage("acme", "e2", "m", "1")).await;
    client.void(&grants[3].id, "r").await;
    client.record(say::usage("initech", "e1", "m", "5")).await;
    world.only_clock_to(t0() + TimeDelta::hours(10));
    grants
}

/// Filters, and which of the story's grants they keep.
fn reports() -> Vec<(Report, &'static [usize])> {
    let of = |customer: &str| Report { customer_id: customer.into(), ..Default::default() };
    let kind = |kind: GrantType| Report { r#type: kind.into(), ..Default::default() };
    let in_status = |statuses: &[Status]| Report {
        statuses: statuses.iter().map(|status| i32::from(*status)).collect(),
        ..Default::default()
    };
    let import = |id: &str| Report { import_id: id.into(), ..Default::default() };
    vec![
        (Report::default(), &[0, 1, 2, 3, 4, 5]),
        (of("acme"), &[0, 1, 3]),
        (of("nobody"), &[]),
        (kind(GrantType::Units), &[0, 1, 2, 4, 5]),
        (kind(GrantType::Monetary), &[3]),
        (Report { customer_id: "umbrella".into(), ..kind(GrantType::Monetary) }, &[]),
        (in_status(&[Status::Exhausted]), &[0, 4]),
        (in_status(&[Status::Expired]), &[1]),
        (in_status(&[Status::Pending]), &[2]),
        (in_status(&[Status::Voided]), &[3]),
        (in_status(&[Status::Active, Status::Active]), &[5]),
        (in_status(&[Status::Pending, Status::Voided]), &[2, 3]),
        (Report { as_of: say::hour(4), ..in_status(&[Status::Active]) }, &[0, 1, 3, 4, 5]),
        (Report { as_of: say::hour(4), ..in_status(&[Status::Exhausted]) }, &[]),
        (Report { as_of: say::hour(9), ..in_status(&[Status::Expired]) }, &[1]),
        (
            Report {
                as_of: say::after(TimeDelta::hours(9) - TimeDelta::microseconds(1)),
                ..in_status(&[Status::Expired])
            },
            &[],
        ),
        (Report { as_of: say::hour(1), ..Default::default() }, &[0, 1]),
        (Report { as_of: say::hour(1), customer_id: "umbrella".into(), ..Default::default() }, &[]),
        (Report { as_of: say::hour(-1), ..Default::default() }, &[]),
        (Report { created_after: say::hour(2), ..Default::default() }, &[2, 3, 4, 5]),
        (Report { created_before: say::hour(2), ..Default::default() }, &[0, 1]),
        (
            Report { created_after: say::hour(1), created_before: say::hour(4), ..of("acme") },
            &[1, 3],
        ),
        (
            Report {
                created_after: say::hour(2),
                created_before: say::hour(9),
                as_of: say::hour(3),
                ..Default::default()
            },
            &[2, 3],
        ),
        (Report { created_after: say::hour(5), ..Default::default() }, &[]),
        (import("i1"), &[4, 5]),
        (import("i2"), &[]),
        (Report { customer_id: "initech".into(), ..import("i1") }, &[4]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_of_a_report_filters() {
    World::run(async |world| {
        let grants = story(world).await;
        let before = world.database.counts().await;
        for (request, kept) in reports() {
            let mut expected: Vec<&str> =
                kept.iter().map(|index| grants[*index].id.as_str()).collect();
            let (rows, as_of) = world.client.report(request.clone()).await;
            assert_eq!(as_of, request.as_of.map_or(world.now(), |at| say::instant(Some(&at))));
            let mut found: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{request:?}");
        }
        assert_eq!(world.database.counts().await, before, "a report wrote something");
    })
    .await;
}

/// Runs of rows of one customer, in the order in which they come.
fn runs<T>(rows: &[T], customer: impl Fn(&T) -> &str) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for row in rows {
        if runs.last().is_none_or(|last| last != customer(row)) {
            runs.push(customer(row).to_owned());
        }
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_follow_one_another_in_the_same_order() {
    World::run(async |world| {
        story(world).await;
        let (rows, _) = world.client.report(Report::default()).await;
        let customers = runs(&rows, |row| &row.customer_id);
        assert_eq!(customers.len(), 3, "{customers:?}");
        for customer in &customers {
            let of = rows.iter().filter(|row| row.customer_id == *customer);
            let made: Vec<_> = of.map(|row| say::instant(row.created_at.as_ref())).collect();
            assert!(made.is_sorted(), "{made:?}");
        }
        let (entries, _) = world.client.ledgers(Ledgers::default()).await;
        assert_eq!(runs(&entries, |entry| &entry.customer_id), customers);
        assert_eq!(world.client.report(Report::default()).await.0, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_the_ledgers_one_behind_another() {
    World::run(async |world| {
        story(world).await;
        let (entries, as_of) = world.client.ledgers(Ledgers::default()).await;
        assert_eq!(as_of, world.now());
        let mut listed = Vec::new();
        for customer in runs(&entries, |entry| &entry.customer_id) {
            listed.extend(world.client.ledger(&customer).await);
        }
        assert_eq!(entries, listed);
        assert_eq!(entries.len(), 6 + 1 + 1 + 1 + 1 + 1, "grants, usage, expiry, void");
        let money = entries.iter().find(|entry| entry.r#type() == Type::Voided).expect("a void");
        assert_eq!((money.amount.as_str(), money.balance_after.as_str()), ("-4.00", "0.00"));
        let imported = entries.iter().filter(|entry| entry.import_id == "i1").count();
        assert_eq!(imported, 2);

        let instant = |at: &Option<_>| say::instant(at.as_ref());
        let cases: Vec<(Ledgers, Box<dyn Fn(&pb::LedgerEntry) -> bool>)> = vec![
            (of("acme"), Box::new(|e| e.customer_id == "acme")),
            (of("nobody"), Box::new(|_| false)),
            (types(&[Type::Consumed]), Box::new(|e| e.r#type() == Type::Consumed)),
            (
                types(&[Type::Expired, Type::Voided]),
                Box::new(|e| e.r#type() == Type::Expired || e.r#type() == Type::Voided),
            ),
            (types(&[Type::Held]), Box::new(|_| false)),
            (
                Ledgers { recorded_after: say::hour(4), ..Default::default() },
                Box::new(move |e| instant(&e.recorded_at) >= t0() + TimeDelta::hours(4)),
            ),
            (
                Ledgers { recorded_after: say::hour(9), ..Default::default() },
                Box::new(|e| e.r#type() == Type::Expired),
            ),
            (Ledgers { recorded_after: say::hour(10), ..Default::default() }, Box::new(|_| false)),
            (
                Ledgers { recorded_before: say::hour(4), ..Default::default() },
                Box::new(move |e| instant(&e.recorded_at) < t0() + TimeDelta::hours(4)),
            ),
            (
                Ledgers {
                    recorded_after: say::hour(1),
                    recorded_before: say::hour(6),
                    ..of("acme")
                },
                Box::new(move |e| {
                    let hours = (instant(&e.recorded_at) - t0()).num_hours();
                    e.customer_id == "acme" && (1..6).contains(&hours)
                }),
            ),
            (
                Ledgers { recorded_after: say::hour(2), ..types(&[Type::Granted]) },
                Box::new(move |e| {
                    e.r#type() == Type::Granted
                        && instant(&e.recorded_at) >= t0() + TimeDelta::hours(2)
                }),
            ),
        ];
        for (request, keeps) in cases {
            let (found, _) = world.client.ledgers(request.clone()).await;
            let expected: Vec<_> = entries.iter().filter(|entry| keeps(entry)).cloned().collect();
            assert_eq!(found, expected, "{request:?}");
        }
    })
    .await;
}

fn of(customer: &str) -> Ledgers {
    Ledgers { customer_id: customer.into(), ..Default::default() }
}

fn types(types: &[Type]) -> Ledgers {
    let types = types.iter().map(|kind| i32::from(*kind)).collect();
    Ledgers { types, ..Default::default() }
}

/// What is due is booked first, for whom it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_there() {
    World::run(async |world| {
        for customer in ["acme", "umbrella"] {
            let ending =
                pb::CreateGrantRequest { expires_at: say::hour(1), ..say::units(customer, "1") };
            world.client.grant(ending).await;
        }
        world.only_clock_to(t0() + TimeDelta::hours(2));
        for (request, expected) in [(of("acme"), 2), (Ledgers::default(), 4)] {
            let (entries, _) = world.client.ledgers(request).await;
            assert_eq!(entries.len(), expected);
            let rows = world.database.counts().await;
            let (_, booked) = rows.iter().find(|(table, _)| table == "ledger_entries").expect("it");
            assert_eq!(*booked, i64::try_from(expected).expect("a few") + i64::from(expected == 2));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_export_tells_its_instant() {
    World::run(async |world| {
        assert_eq!(world.client.report(Report::default()).await, (vec![], t0()));
        assert_eq!(world.client.ledgers(Ledgers::default()).await, (vec![], t0()));
    })
    .await;
}

/// What is looked up for every row is counted first, and looked up once.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_names_at_most_a_hundred_values() {
    World::run(async |world| {
        world.client.grant(say::units("acme", "1")).await;
        let active = i32::from(pb::GrantStatus::Active);
        let list =
            |count| pb::ListGrantsRequest { statuses: vec![active; count], ..Default::default() };
        assert_eq!(world.client.try_list_grants(list(100)).await.expect("a list").grants.len(), 1);
        let refused = world.client.try_list_grants(list(101)).await.expect_err("too many");
        assert_eq!(say::bad_fields(&refused), ["statuses"]);
        let request = pb::ExportLedgerRequest { types: vec![99; 101], ..Default::default() };
        let refused = world.client.credits.clone().export_ledger(request).await;
        assert_eq!(say::bad_fields(&refused.expect_err("too many")), ["types"]);
    })
    .await;
}
