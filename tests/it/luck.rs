//! The sweeper's luck changes nothing: a history in which nothing is ever swept, and the same one
//! swept at every instant at which something falls due, look the same at every step.

mod history;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use creditd::pb;
use creditd::store::Clock;
use tokio_postgres::Client as Sql;
use tonic::{Response, Status};

use self::history::{History, Step};
use crate::harness::{Client, World, dump, say};

const CUSTOMERS: usize = 2;

/// A world that lives a history and writes down all it is told.
struct Living<'a> {
    world: &'a mut World,
    sql: Sql,
    swept: bool,
    /// Ids by the order in which the grants were asked for; None where that was refused.
    grants: Vec<Option<String>>,
    names: HashMap<String, String>,
    told: Vec<String>,
    /// How every instant ended.
    balances: Vec<pb::Balance>,
}

impl Living<'_> {
    fn tell<T: std::fmt::Debug>(&mut self, what: &str, answer: Result<Response<T>, Status>) {
        self.write(what, answer.map(|answer| format!("{:?}", answer.into_inner())));
    }

    fn write(&mut self, what: &str, answer: Result<String, Status>) {
        let answer = answer.unwrap_or_else(|status| {
            format!("{:?} {} {:?}", status.code(), say::reason(&status), status.message())
        });
        self.told.push(format!("{what} -> {}", dump::named(&answer, &self.names)));
    }

    async fn live(&mut self, step: &Step) {
        let mut client = self.world.client.clone();
        let what = format!("{} {step:?}", self.world.now());
        match step.clone() {
            Step::Create(call) => {
                let sure = pb::CreateGrantRequest { validate_only: true, ..call.clone() };
                let sure = client.credits.create_grant(sure).await;
                self.tell(&format!("to validate {what}"), sure);
                let answer = client.credits.create_grant(call).await;
                let made = answer.as_ref().ok().map(|made| made.get_ref().grant.clone());
                let id = made.map(|grant| grant.expect("a grant").id);
                let name = format!("grant {}", self.grants.len());
                self.names.extend(id.clone().map(|id| (id, name)));
                self.grants.push(id);
                self.tell(&what, answer);
            }
            Step::Import(row) => {
                let batch = vec![(i64::try_from(self.grants.len()).expect("a row") + 1, vec![row])];
                let dry = client.try_import("file", true, batch.clone()).await;
                self.tell(&format!("to try {what}"), dry.map(Response::new));
                let answer = client.try_import("file", false, batch).await;
                let made = answer.as_ref().map(|answers| answers[0].results[0].grant_id.clone());
                let id = made.ok().filter(|id| !id.is_empty());
                let name = format!("grant {}", self.grants.len());
                self.names.extend(id.clone().map(|id| (id, name)));
                self.grants.push(id);
                self.tell(&what, answer.map(Response::new));
            }
            Step::Usage(call) => {
                let preview = pb::PreviewUsageRequest {
                    customer_id: call.customer_id.clone(),
                    metric: call.metric.clone(),
                    quantity: call.quantity.clone(),
                    timestamp: call.timestamp,
                };
                let preview = client.usage.preview_usage(preview).await;
                self.tell(&format!("to preview {what}"), preview);
                let answer = client.usage.record_usage(call).await;
                self.tell(&what, answer);
            }
            Step::Update(number, call) => {
                let Some(grant_id) = self.grants[number].clone() else { return };
                let call = pb::UpdateGrantRequest { grant_id, ..call };
                let answer = client.credits.update_grant(call).await;
                self.tell(&what, answer);
            }
            Step::Void(number) => {
                let Some(grant_id) = self.grants[number].clone() else { return };
                let call = pb::VoidGrantRequest { grant_id, reason: "history".into() };
                let answer = client.credits.void_grant(call).await;
                self.tell(&what, answer);
            }
            Step::AdvanceTo(at) => self.advance_to(at).await,
            promise => {
                let answer = promised(&client, promise).await;
                self.write(&what, answer);
            }
        }
    }

    /// Moves the clock: past everything, or to everything that falls due on the way, sweeping.
    async fn advance_to(&mut self, at: DateTime<Utc>) {
        if !self.swept {
            let Clock::Test(clock) = &self.world.options.clock else { panic!("no test clock") };
            clock.advance_to(at).expect("forward");
            return;
        }
        let next = "SELECT (extract(epoch FROM min(at)) * 1000000)::bigint FROM \
                    (SELECT due_at FROM grants UNION ALL \
                     SELECT expires_at FROM holds WHERE status = 'open') AS due(at) \
                    WHERE at <= to_timestamp($1::bigint)";
        let end = at.timestamp();
        assert_eq!(at.timestamp_subsec_nanos(), 0, "whole seconds");
        let mut before = None;
        loop {
            let row = self.sql.query_one(next, &[&end]).await.expect("an instant");
            let Some(due) = row.get::<_, Option<i64>>(0) else { break };
            assert!(before.replace(due) < Some(due), "what was due is still due");
            let due = DateTime::from_timestamp_micros(due).expect("an instant");
            self.world.advance_to(due).await;
        }
        self.world.advance_to(at).await;
    }

    async fn look(&mut self, customer: &str) {
        let mut client = self.world.client.clone();
        let place = format!("{} {customer}", self.world.now());
        let customer_id = customer.to_owned();
        let page_size = 1_000;
        let ask = pb::GetBalanceRequest { customer_id: customer_id.clone(), ..Default::default() };
        let balance = client.credits.get_balance(ask).await;
        self.tell(&format!("{place} balance"), balance);
        let ask = pb::ListGrantsRequest {
            customer_id: customer_id.clone(),
            page_size,
            ..Default::default()
        };
        let grants = client.credits.list_grants(ask.clone()).await;
        self.tell(&format!("{place} grants"), grants);
        for status in [pb::GrantStatus::Expired, pb::GrantStatus::Active] {
            let ask = pb::ListGrantsRequest { statuses: vec![status.into()], ..ask.clone() };
            let grants = client.credits.list_grants(ask).await;
            self.tell(&format!("{place} {status:?} grants"), grants);
        }
        let ask = pb::ListLedgerEntriesRequest {
            customer_id: customer_id.clone(),
            page_size,
            ..Default::default()
        };
        let entries = client.credits.list_ledger_entries(ask).await;
        self.tell(&format!("{place} ledger"), entries);
        let ask = pb::ExportCreditReportRequest {
            customer_id: customer_id.clone(),
            ..Default::default()
        };
        let report = self.world.client.try_report(ask).await;
        self.tell(&format!("{place} report"), report.map(Response::new));
        let ask = pb::ListUsageEventsRequest { customer_id, page_size, ..Default::default() };
        let events = client.usage.list_usage_events(ask).await;
        self.tell(&format!("{place} events"), events);
    }
}

impl Living<'_> {
    /// Keeps the balances of an instant that is over.
    async fn remember(&mut self) {
        for number in 0..CUSTOMERS {
            let balance = self.world.client.balance(&format!("customer-{number}")).await;
            self.balances.push(balance);
        }
    }

    /// What a balance was is what it is told to have been.
    async fn look_back(&self) {
        for then in &self.balances {
            let at = say::instant(then.as_of.as_ref());
            let told = self.world.client.balance_at(&then.customer_id, at).await;
            assert_eq!(told, *then, "as of {at}");
        }
    }
}

/// Carries out what a history asks of holds, invoices and reversals.
async fn promised(client: &Client, step: Step) -> Result<String, Status> {
    Ok(match step {
        Step::Hold(call) => {
            let (customer, id) = (call.customer_id.clone(), call.hold_id.clone());
            let made = client.try_hold(call).await;
            format!("{:?} {:?}", made?, client.try_get_hold(&customer, &id).await?)
        }
        Step::Extend(call) => format!("{:?}", client.try_extend(call).await?),
        Step::Settle(call) => format!("{:?}", client.try_settle(call).await?),
        Step::Release(customer, id) => format!("{:?}", client.try_release(&customer, &id).await?),
        Step::Look(customer, id) => format!("{:?}", client.try_get_hold(&customer, &id).await?),
        Step::Apply(call) => {
            let trial = pb::ApplyCreditsRequest { validate_only: true, ..call.clone() };
            let trial = client.try_apply(trial).await?;
            assert_eq!(client.try_apply(call).await?, trial);
            format!("{trial:?}")
        }
        Step::ReverseUsage(call) => format!("{:?}", client.try_reverse_usage(call).await?),
        Step::ReverseApplication(call) => {
            format!("{:?}", client.try_reverse_application(call).await?)
        }
        other => panic!("no promise: {other:?}"),
    })
}

/// What a world is told while it lives a history, and its rows once everything due is booked.
async fn lived(history: &[Step], swept: bool) -> (Vec<String>, Vec<String>) {
    let mut told = Vec::new();
    let mut rows = Vec::new();
    World::run(async |world| {
        let sql = world.database.connect().await;
        let (grants, names) = (Vec::new(), HashMap::new());
        let (so_far, balances) = Default::default();
        let mut living = Living { world, sql, swept, grants, names, told: so_far, balances };
        for step in history {
            if matches!(step, Step::AdvanceTo(_)) {
                living.remember().await;
            }
            living.live(step).await;
            if matches!(step, Step::AdvanceTo(_)) {
                for number in 0..CUSTOMERS {
                    living.look(&format!("customer-{number}")).await;
                }
            }
        }
        living.look_back().await;
        let now = living.world.now();
        living.world.advance_to(now).await;
        living.look_back().await;
        rows = dump::named_rows(&living.world.database, &living.names).await;
        told = living.told;
    })
    .await;
    (told, rows)
}

/// Lives one history both ways; the rows that it leaves.
async fn luck_changes_nothing(seed: u64) -> Vec<String> {
    let history = History::random(seed);
    let (lucky, unlucky) = tokio::join!(lived(&history, true), lived(&history, false));
    dump::same(&format!("seed {seed}: swept and not, told"), &lucky.0, &unlucky.0);
    dump::same(&format!("seed {seed}: swept and not, rows"), &lucky.1, &unlucky.1);
    lucky.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_looks_the_same_whether_it_is_swept_or_not() {
    let rows = Box::pin(luck_changes_nothing(1)).await;
    for kind in [
        "expired",
        "expiration_reclaimed",
        "updated",
        "voided",
        "held",
        "hold_released",
        "applied",
        "usage_reversed",
        "application_reversed",
    ] {
        let kind = format!("\"type\": \"{kind}\"");
        assert!(rows.iter().any(|row| row.contains(&kind)), "no {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_does_one_that_nobody_has_tried_before() {
    Box::pin(luck_changes_nothing(rand::random())).await;
}
