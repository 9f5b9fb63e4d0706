//! GetBalance of past instants: what it answered then.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::Code;

use crate::harness::load::{Load, OnFailure};
use crate::harness::{Client, Options, World, load, say, t0};

type Get = pb::GetBalanceRequest;
type Told = BTreeMap<DateTime<Utc>, Vec<pb::Balance>>;

/// Entries of a life: three points are among them.
const ENTRIES: i64 = 3_500;
const METRICS: [&str; 2] = ["tokens", "minutes"];

/// The same balance in all the ways in which it can be asked for.
fn ways(as_of: Option<DateTime<Utc>>) -> Vec<Get> {
    let whole =
        Get { customer_id: "acme".into(), as_of: as_of.map(say::time), ..Default::default() };
    let tokens = Get { metric: "tokens".into(), ..whole.clone() };
    let euros = Get { currency: "EUR".into(), ..whole.clone() };
    vec![whole, tokens, euros]
}

async fn balances(client: &Client, as_of: Option<DateTime<Utc>>) -> Vec<pb::Balance> {
    let mut balances = Vec::new();
    for request in ways(as_of) {
        balances.push(client.try_balance(request).await.expect("a balance"));
    }
    balances
}

/// The life of a customer: everything that changes a balance, and usage by the hundred, so that
/// several points fall into it; and what was told of it all along.
struct Life<'a> {
    world: &'a mut World,
    rng: StdRng,
    /// Whether what falls due is booked as time passes, and not when somebody comes.
    booked: bool,
    grants: Vec<String>,
    events: usize,
    told: Told,
}

impl Life<'_> {
    async fn live(&mut self) {
        self.listen().await;
        while self.told.last_key_value().is_some_and(|(_, then)| then[0].revision < ENTRIES) {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            _ if self.grants.len() < 4 => self.create().await,
            0..30 => self.create().await,
            30..75 => self.spend().await,
            75..92 => self.update().await,
            _ => {
                let grant = self.grant();
                // It may have ended already.
                drop(self.world.client.try_void(&grant, "chance").await);
            }
        }
        self.listen().await;
        // Several things happen at one instant now and then.
        if self.rng.random_bool(0.8) {
            let next = self.hours(0, 30) + TimeDelta::minutes(1);
            self.pass(next - TimeDelta::microseconds(1)).await;
            self.pass(next).await;
        }
    }

    fn hours(&mut self, from: i64, to: i64) -> DateTime<Utc> {
        self.world.now() + TimeDelta::minutes(self.rng.random_range(from * 60..=to * 60))
    }

    fn grant(&mut self) -> String {
        self.grants[self.rng.random_range(0..self.grants.len())].clone()
    }

    async fn create(&mut self) {
        let amount = self.rng.random_range(20..900).to_string();
        let grant = match self.rng.random_range(0..4) {
            0 => say::money("acme", &amount, "EUR"),
            1 => pb::CreateGrantRequest {
                metrics: say::names(&METRICS[..self.rng.random_range(1..=2)]),
                ..say::units("acme", &amount)
            },
            _ => say::units("acme", &amount),
        };
        let starts = self.rng.random_bool(0.4).then(|| say::time(self.hours(-80, 40)));
        let grant = pb::CreateGrantRequest {
            priority: Some(self.rng.random_range(0..4)),
            effective_at: starts,
            expires_at: self.rng.random_bool(0.7).then(|| say::time(self.hours(41, 200))),
            ..grant
        };
        let made = self.world.client.grant(grant).await;
        self.grants.push(made.id);
    }

    async fn spend(&mut self) {
        let count = self.rng.random_range(1..800);
        let events: Vec<_> = (0..count).map(|_| self.event()).collect();
        let message = pb::StreamUsageRequest { events };
        let mut usage = self.world.client.usage.clone();
        let answers = usage.stream_usage(tokio_stream::iter([message])).await.expect("a stream");
        let answer = answers.into_inner().message().await.expect("an answer").expect("an answer");
        assert_eq!(answer.results.len(), count);
    }

    fn event(&mut self) -> pb::RecordUsageRequest {
        self.events += 1;
        let metric = METRICS[self.rng.random_range(0..2)];
        let quantity = format!("0.{}", self.rng.random_range(1..=9));
        pb::RecordUsageRequest {
            timestamp: self.rng.random_bool(0.3).then(|| say::time(self.hours(-80, 0))),
            ..say::usage("acme", &format!("e{}", self.events), metric, &quantity)
        }
    }

    async fn update(&mut self) {
        let paths: &[&str] = [&["priority"][..], &["expires_at"], &["expires_at", "priority"]]
            [self.rng.random_range(0..3)];
        let update = pb::UpdateGrantRequest {
            priority: Some(self.rng.random_range(0..4)),
            expires_at: self.rng.random_bool(0.7).then(|| say::time(self.hours(1, 100))),
            ..say::update(&self.grant(), paths)
        };
        // It may have ended, or not have begun.
        drop(self.world.client.try_update(update).await);
    }

    async fn pass(&mut self, at: DateTime<Utc>) {
        if self.booked {
            self.world.advance_to(at).await;
        } else {
            self.world.only_clock_to(at);
        }
        self.listen().await;
    }

    /// Notes what is answered now. An instant is over when nothing more is recorded at it: what was
    /// answered earlier at the same one does not count.
    async fn listen(&mut self) {
        let balances = balances(&self.world.client, None).await;
        self.told.insert(self.world.now(), balances);
    }
}

async fn is_what_was_answered(world: &mut World, seed: u64, booked: bool) {
    let rng = StdRng::seed_from_u64(seed);
    let (grants, told) = Default::default();
    let mut life = Life { world, rng, booked, grants, events: 0, told };
    life.live().await;
    let told = life.told;
    let counts = world.database.counts().await;
    let points = counts.iter().find(|(table, _)| table == "balance_points").map(|(_, rows)| *rows);
    assert!(points >= Some(3), "seed {seed}: {counts:?}");
    // Long after, on another server; and again when everything due is booked.
    world.only_clock_to(world.now() + TimeDelta::days(100));
    let other = world.another(&world.options).await;
    for client in [other.client(), world.client.clone()] {
        for (at, then) in &told {
            let place = format!("seed {seed}, booked {booked}, as of {at}");
            assert_eq!(balances(&client, Some(*at)).await, *then, "{place}");
        }
        world.advance(TimeDelta::zero()).await;
    }
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_balance_is_what_was_answered_then() {
    World::run(async |world| is_what_was_answered(world, 1, true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_not_matter_when_what_was_due_is_booked() {
    World::run(async |world| is_what_was_answered(world, 1, false).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_which_life_it_was() {
    World::run(async |world| {
        let (seed, booked) = (rand::random(), rand::random());
        is_what_was_answered(world, seed, booked).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_begins_with_nothing_and_ends_now() {
    World::run(async |world| {
        let client = world.client.clone();
        let empty = |customer: &str, at| pb::Balance {
            customer_id: customer.into(),
            as_of: Some(say::time(at)),
            ..Default::default()
        };
        assert_eq!(client.balance_at("acme", t0()).await, empty("acme", t0()));
        world.advance(TimeDelta::hours(1)).await;
        client.grant(say::units("acme", "5")).await;
        let before = world.now() - TimeDelta::microseconds(1);
        let long_ago = "0001-01-01T00:00:00Z".parse().expect("a time");
        for at in [before, t0(), long_ago] {
            assert_eq!(client.balance_at("acme", at).await, empty("acme", at));
        }
        assert_eq!(client.balance_at("nobody", t0()).await, empty("nobody", t0()));
        // Cut to microseconds, as all times are.
        let mut now = Get { customer_id: "acme".into(), as_of: say::hour(1), ..Get::default() };
        now.as_of.as_mut().expect("a time").nanos = 999;
        assert_eq!(client.try_balance(now).await.expect("now"), client.balance("acme").await);
        let soon = world.now() + TimeDelta::microseconds(1);
        let soon =
            Get { as_of: Some(say::time(soon)), customer_id: "acme".into(), ..Get::default() };
        let refused =
            say::refused(client.try_balance(soon).await, Code::InvalidArgument, "INVALID_FIELD");
        assert_eq!(say::bad_fields(&refused), ["as_of"]);
        assert!(refused.message().contains("must not be after now"), "{refused:?}");
    })
    .await;
}

/// A ledger from before there were points.
#[tokio::test(flavor = "multi_thread")]
async fn without_points_the_past_is_the_same() {
    World::run(async |world| {
        let rng = StdRng::seed_from_u64(2);
        let (grants, told) = Default::default();
        let mut life = Life { world, rng, booked: false, grants, events: 0, told };
        life.live().await;
        let told = life.told;
        let sql = world.database.connect().await;
        let unlock = "GRANT DELETE ON balance_points TO current_user";
        sql.batch_execute(unlock).await.expect("rights");
        // One after the other, from either end.
        for pick in ["min", "max", "max"] {
            let forget = format!(
                "DELETE FROM balance_points WHERE sequence = \
                 (SELECT {pick}(sequence) FROM balance_points)"
            );
            assert_eq!(sql.execute(&forget, &[]).await.expect("a table"), 1);
            for (at, then) in &told {
                assert_eq!(balances(&world.client, Some(*at)).await, *then, "as of {at}");
            }
        }
    })
    .await;
}

/// The database's own clock, two servers, callers at work: what has once been told of an instant
/// stays so, and is what was recorded by then.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_recorded_behind_an_instant_that_was_told() {
    let options = Options::real();
    World::run_with(options.clone(), async |world| {
        let other = world.another(&options).await;
        let clients = [world.client.clone(), other.client()];
        load::grants(&world.client).await;
        world.client.grant(say::units("customer-0", "1000000")).await;
        let callers = clients.iter().cycle().take(8).cloned().collect();
        let load = Load::start("load", callers, OnFailure::Panic);
        let mut told = Vec::new();
        for round in 0..150 {
            let client = &clients[round % 2];
            // Of somebody else, so that it is the clock's and not the customer's last instant.
            let now = say::instant(client.balance("nobody").await.as_of.as_ref());
            told.push(client.balance_at("customer-0", now).await);
            load.more(1).await;
        }
        load.stop().await;
        let entries = world.client.ledgers(pb::ExportLedgerRequest {
            customer_id: "customer-0".into(),
            ..Default::default()
        });
        let (entries, _) = entries.await;
        for then in &told {
            let at = say::instant(then.as_of.as_ref());
            assert_eq!(world.client.balance_at("customer-0", at).await, *then, "as of {at}");
            let by_then = entries.iter().filter(|e| say::instant(e.recorded_at.as_ref()) <= at);
            assert_eq!(by_then.map(|entry| entry.sequence).max().unwrap_or(0), then.revision);
        }
        other.stop().await;
    })
    .await;
}
