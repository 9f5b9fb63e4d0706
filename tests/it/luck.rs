//! The sweeper's luck changes nothing: a history in which nothing is ever swept, and the same one
//! swept at every instant at which something falls due, look the same at every step.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb;
use creditd::store::Clock;
use prost_types::FieldMask;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_postgres::Client as Sql;
use tonic::{Response, Status};

use crate::harness::{World, dump, say, t0};

const CUSTOMERS: usize = 3;
const STEPS: usize = 20;
const CALLS: usize = 4;

/// One step of a history. Grants are named by the order in which they were asked for.
#[derive(Debug, Clone)]
enum Step {
    Create(pb::CreateGrantRequest),
    Import(pb::CreateGrantRequest),
    Usage(pb::RecordUsageRequest),
    Update(usize, pb::UpdateGrantRequest),
    Void(usize),
    AdvanceTo(DateTime<Utc>),
}

struct History {
    rng: StdRng,
    now: DateTime<Utc>,
    steps: Vec<Step>,
    grants: usize,
    events: Vec<pb::RecordUsageRequest>,
}

impl History {
    fn random(seed: u64) -> Vec<Step> {
        let rng = StdRng::seed_from_u64(seed);
        let mut history = Self { rng, now: t0(), steps: Vec::new(), grants: 0, events: Vec::new() };
        for _ in 0..STEPS {
            for _ in 0..CALLS {
                let step = history.call();
                history.steps.push(step);
            }
            history.now += TimeDelta::minutes(history.rng.random_range(0..26 * 60));
            history.steps.push(Step::AdvanceTo(history.now));
        }
        history.steps
    }

    fn customer(&mut self) -> String {
        format!("customer-{}", self.rng.random_range(0..CUSTOMERS))
    }

    fn hours(&mut self, from: i64, to: i64) -> DateTime<Utc> {
        self.now + TimeDelta::minutes(self.rng.random_range(from * 60..=to * 60))
    }

    fn metric(&mut self) -> &'static str {
        ["tokens", "minutes"][self.rng.random_range(0..2)]
    }

    fn call(&mut self) -> Step {
        match self.rng.random_range(0..100) {
            _ if self.grants == 0 => self.create(),
            0..35 => self.create(),
            35..75 => self.usage(),
            75..92 => self.update(),
            _ => Step::Void(self.rng.random_range(0..self.grants)),
        }
    }

    fn create(&mut self) -> Step {
        let (customer, amount) = (self.customer(), self.rng.random_range(1..40).to_string());
        let grant = if self.rng.random_bool(0.15) {
            say::money(&customer, &amount, "EUR")
        } else {
            let metrics = (0..self.rng.random_range(0..2)).map(|_| self.metric().to_owned());
            pb::CreateGrantRequest { metrics: metrics.collect(), ..say::units(&customer, &amount) }
        };
        let starts = self.rng.random_bool(0.4).then(|| say::time(self.hours(-80, 12)));
        // Whole days, too, so that several fall due at the same instant.
        let ends = if self.rng.random_bool(0.5) {
            t0() + TimeDelta::days((self.now - t0()).num_days() + self.rng.random_range(0..4))
        } else {
            self.hours(-1, 60)
        };
        let grant = pb::CreateGrantRequest {
            request_id: format!("r{}", self.grants),
            priority: Some(self.rng.random_range(0..4)),
            effective_at: starts,
            expires_at: self.rng.random_bool(0.8).then(|| say::time(ends)),
            ..grant
        };
        self.grants += 1;
        if self.rng.random_bool(0.3) {
            return Step::Import(pb::CreateGrantRequest { request_id: String::new(), ..grant });
        }
        Step::Create(grant)
    }

    fn usage(&mut self) -> Step {
        if self.rng.random_bool(0.1) && !self.events.is_empty() {
            return Step::Usage(self.events[self.rng.random_range(0..self.events.len())].clone());
        }
        let event = format!("e{}", self.events.len());
        let quantity = self.rng.random_range(1..20).to_string();
        let usage = say::usage(&self.customer(), &event, self.metric(), &quantity);
        let policy = if self.rng.random_bool(0.3) {
            pb::InsufficientCredits::Reject
        } else {
            pb::InsufficientCredits::AllowOverage
        };
        let usage = pb::RecordUsageRequest {
            insufficient_credits: policy.into(),
            timestamp: self.rng.random_bool(0.7).then(|| say::time(self.hours(-90, 0))),
            ..usage
        };
        self.events.push(usage.clone());
        Step::Usage(usage)
    }

    fn update(&mut self) -> Step {
        let paths: &[&str] =
            [&["priority"][..], &["expires_at"], &["description"], &["expires_at", "priority"]]
                [self.rng.random_range(0..4)];
        let update = pb::UpdateGrantRequest {
            update_mask: Some(FieldMask { paths: paths.iter().map(|&p| p.to_owned()).collect() }),
            description: format!("noted at {}", self.now),
            priority: Some(self.rng.random_range(0..4)),
            expires_at: self.rng.random_bool(0.8).then(|| say::time(self.hours(-2, 60))),
            ..Default::default()
        };
        Step::Update(self.rng.random_range(0..self.grants), update)
    }
}

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
        let answer = match answer {
            Ok(answer) => format!("{:?}", answer.into_inner()),
            Err(status) => {
                format!("{:?} {} {:?}", status.code(), say::reason(&status), status.message())
            }
        };
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
        }
    }

    /// Moves the clock: past everything, or to everything that falls due on the way, sweeping.
    async fn advance_to(&mut self, at: DateTime<Utc>) {
        if !self.swept {
            let Clock::Test(clock) = &self.world.options.clock else { panic!("no test clock") };
            clock.advance_to(at).expect("forward");
            return;
        }
        let next = "SELECT (extract(epoch FROM min(due_at)) * 1000000)::bigint FROM grants \
                    WHERE due_at <= to_timestamp($1::bigint)";
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
    let rows = luck_changes_nothing(7).await;
    for kind in ["expired", "expiration_reclaimed", "updated", "voided"] {
        let kind = format!("\"type\": \"{kind}\"");
        assert!(rows.iter().any(|row| row.contains(&kind)), "no {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_does_one_that_nobody_has_tried_before() {
    luck_changes_nothing(rand::random()).await;
}
