//! A random history, recorded through two servers: every summary is the sum of the events listed.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use creditd::domain::amount::Amount;
use creditd::pb::{self, UsageWindow};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{All, Ask, Day, Hour, between, send, summary};
use crate::harness::{World, load, say};

const ROUNDS: usize = 12;
const EVENTS: usize = 700;

/// What a row says: events, quantity, covered, uncovered, reversed.
type Figures = (i64, [Amount; 4]);
type Rows = BTreeMap<(String, DateTime<Utc>), Figures>;

fn amount(text: &str) -> Amount {
    Amount::parse(text, 12).expect("an amount")
}

fn floor(at: DateTime<Utc>, width: TimeDelta) -> DateTime<Utc> {
    at.duration_trunc(width).expect("an instant")
}

/// What it should say.
fn naive(events: &[pb::UsageEvent], ask: &Ask) -> Rows {
    let from = say::instant(ask.timestamp_after.as_ref());
    let before = say::instant(ask.timestamp_before.as_ref());
    let mut rows = Rows::new();
    for event in events {
        let at = say::instant(event.timestamp.as_ref());
        let wanted = ask.metric.is_empty() || ask.metric == event.metric;
        if !wanted || at < from || at >= before {
            continue;
        }
        let start = match ask.window() {
            UsageWindow::Hour => floor(at, TimeDelta::hours(1)),
            UsageWindow::Day => floor(at, TimeDelta::days(1)),
            _ => from,
        };
        let (count, sums) = rows.entry((event.metric.clone(), start)).or_default();
        *count += 1;
        let figures = [&event.quantity, &event.covered, &event.uncovered, &event.reversed];
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum = sum.plus(amount(figure)).expect("a sum");
        }
    }
    rows
}

/// What it says.
fn said(rows: Vec<pb::UsageSummary>) -> Vec<((String, DateTime<Utc>), Figures)> {
    let read = |row: pb::UsageSummary| {
        let figures = [&row.quantity, &row.covered, &row.uncovered, &row.reversed];
        let start = say::instant(row.window_start.as_ref());
        ((row.metric.clone(), start), (row.events, figures.map(|text| amount(text))))
    };
    rows.into_iter().map(read).collect()
}

struct Luck(StdRng);

impl Luck {
    fn micros(&mut self, from: TimeDelta, to: TimeDelta) -> TimeDelta {
        let micros = |delta: TimeDelta| delta.num_microseconds().expect("a short time");
        TimeDelta::microseconds(self.0.random_range(micros(from)..=micros(to)))
    }

    /// How far the clock goes.
    fn step(&mut self) -> TimeDelta {
        match self.0.random_range(0..5) {
            0 => TimeDelta::zero(),
            1 => TimeDelta::microseconds(1),
            2 => self.micros(TimeDelta::zero(), TimeDelta::minutes(30)),
            3 => self.micros(TimeDelta::zero(), TimeDelta::hours(4)),
            _ => self.micros(TimeDelta::zero(), TimeDelta::hours(40)),
        }
    }

    /// When an event happened.
    fn timestamp(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ahead = TimeDelta::minutes(5);
        match self.0.random_range(0..10) {
            0..3 => None,
            3 => Some(now + ahead),
            4 => Some(floor(now, TimeDelta::hours(1))),
            5 => Some(now - TimeDelta::hours(1) - TimeDelta::microseconds(1)),
            6 => Some(now - TimeDelta::hours(1)),
            7 => Some(now - self.micros(-ahead, TimeDelta::hours(2))),
            8 => Some(now - self.micros(-ahead, TimeDelta::days(3))),
            _ => Some(floor(now - self.micros(-ahead, TimeDelta::days(30)), TimeDelta::hours(1))),
        }
    }

    fn events(&mut self, round: usize, now: DateTime<Utc>) -> Vec<pb::RecordUsageRequest> {
        let event = |number| {
            let metric = ["tokens", "calls", "Bytes"][self.0.random_range(0..3)];
            let quantity = format!("{}.{}", self.0.random_range(0..9), self.0.random_range(0..9));
            let event = say::usage("acme", &format!("e{round}-{number}"), metric, &quantity);
            let timestamp = self.timestamp(now).map(say::time);
            pb::RecordUsageRequest { timestamp, ..event }
        };
        (0..EVENTS).map(event).collect()
    }

    /// An end of a range: often at an event, or beside one.
    fn end(&mut self, events: &[pb::UsageEvent]) -> DateTime<Utc> {
        let event = &events[self.0.random_range(0..events.len())];
        let at = say::instant(event.timestamp.as_ref());
        match self.0.random_range(0..5) {
            0 => at,
            1 => at + TimeDelta::microseconds(1),
            2 => floor(at, TimeDelta::hours(1)),
            3 => floor(at, TimeDelta::days(1)),
            _ => at + self.micros(TimeDelta::hours(-9), TimeDelta::hours(9)),
        }
    }

    fn ask(&mut self, events: &[pb::UsageEvent]) -> Ask {
        let (one, other) = (self.end(events), self.end(events));
        let (from, before) = (one.min(other), one.max(other) + TimeDelta::microseconds(1));
        let window = [All, Day, Hour][self.0.random_range(0..3)];
        let metric = ["", "", "tokens", "Bytes"][self.0.random_range(0..4)];
        let ask = between(Some(say::time(from)), Some(say::time(before)), window);
        Ask { metric: metric.into(), ..ask }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_is_the_sum_of_the_events_listed() {
    World::run(async |world| {
        let seed = rand::random();
        let mut luck = Luck(StdRng::seed_from_u64(seed));
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        for _ in 0..3 {
            clients[0].grant(say::units("acme", "5000")).await;
        }
        let sql = world.database.connect().await;
        let mut ends = std::collections::BTreeSet::new();
        for round in 0..ROUNDS {
            world.only_clock_to(world.now() + luck.step());
            send(&clients[luck.0.random_range(0..2)], &luck.events(round, world.now())).await;
            let end = "SELECT rolled_until::text FROM customers WHERE external_id = 'acme'";
            ends.insert(sql.query_one(end, &[]).await.expect("a row").get::<_, String>(0));
            let events = load::events(&clients[0], "acme").await;
            assert_eq!(events.len(), (round + 1) * EVENTS);
            for number in 0..30 {
                let ask = luck.ask(&events);
                let found = said(summary(&clients[number % 2], &ask).await);
                let expected: Vec<_> = naive(&events, &ask).into_iter().collect();
                assert_eq!(found, expected, "seed {seed}, round {round}: {ask:?}");
            }
        }
        assert!(ends.len() > 2, "seed {seed}: rolled up at {ends:?}");
        other.stop().await;
    })
    .await;
}
