//! What notifications cost those who write: usage and imports while nobody listens, and while an
//! endpoint hears of everything. What is written for it nobody delivers.

use creditd::pb::{CreateGrantRequest, GrantType};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::apart::Apart;
use crate::cpu::Watched;
use crate::events::{AMOUNT, Events, GRANTS, METRIC, Random, Workload, units};
use crate::meter::{Measured, float};
use crate::report::{Aim, Group, Row};
use crate::server::{Creditd, connect};
use crate::{Options, Result, SHAPES, import, seed, stream, sweep, unary};

/// Its own, so that nobody else's writes are told of.
pub const DATABASE: &str = "told";
/// Nobody listens there, and nobody calls.
const URL: &str = "http://127.0.0.1:9/";
/// The imports in their order, and whether somebody is told. Neither way has the younger tables.
const TURNS: [(&str, bool); 4] =
    [("untold-1", false), ("told-1", true), ("told-2", true), ("untold-2", false)];
/// Rows of each import, where the large import has as many.
const ROWS: u32 = 50_000;
/// Events that a small grant pays for, whose quantity is 1.5 each; and so many small grants each
/// customer has. Halfway through each, its balance crosses a threshold: with the grant that is
/// exhausted, one event in a hundred is told of.
const EVENTS_PER_GRANT: u32 = 200;
const SMALL_GRANTS: u32 = 4;

/// Usage and imports that nobody is told of, or somebody.
#[derive(Debug, Clone, Copy)]
struct Written {
    usage: Measured,
    import: Measured,
}

/// What telling costs.
#[derive(Debug)]
pub struct Outbox {
    untold: Written,
    told: Written,
    /// Notifications for an event, while somebody is told.
    pub per_event: f64,
}

impl Outbox {
    pub fn group(&self) -> Group {
        let rows = [("nobody listens", &self.untold), ("an endpoint does", &self.told)];
        let usage =
            rows.map(|(who, written)| Row::new(format!("StreamUsage, {who}"), &written.usage));
        let import =
            rows.map(|(who, written)| Row::new(format!("ImportGrants, {who}"), &written.import));
        Group { name: "notifications".to_owned(), rows: usage.into_iter().chain(import).collect() }
    }

    pub fn aims(&self) -> [Aim; 1] {
        [Aim::at_least("StreamUsage with notifications / without", 0.9, self.usage_ratio())]
    }

    fn usage_ratio(&self) -> f64 {
        self.told.usage.rate() / self.untold.usage.rate()
    }

    /// With a notification for each grant.
    pub fn import_ratio(&self) -> f64 {
        self.told.import.rate() / self.untold.import.rate()
    }

    pub fn json(&self) -> Value {
        json!({
            "notifications_per_event": self.per_event,
            "usage_ratio": self.usage_ratio(),
            "import_ratio": self.import_ratio(),
        })
    }
}

/// Who writes, and where to look what was written.
struct Writer<'a> {
    apart: Apart<'a>,
    creditd: &'a Creditd,
    database: Client,
    watched: Watched,
    /// What an endpoint that hears of everything makes of the settings.
    everything: Value,
}

/// Writes in turns.
pub async fn load(apart: &Apart<'_>, creditd: &Creditd) -> Result<Outbox> {
    let Options { customers, .. } = *apart.options;
    unary::make_grants(creditd, customers, small).await?;
    unary::make_grants(creditd, customers, units).await?;
    let database = connect(&apart.postgres.config(DATABASE)).await?;
    let endpoint = seed::endpoint(&database, URL).await?;
    let watched = apart.watched(creditd)?;
    let everything = everything(&endpoint);
    let writer = Writer { apart: *apart, creditd, database, watched, everything };
    let (mut untold, mut told) = (None, None);
    let (mut notifications, mut events) = (0.0, 0.0);
    for (import_id, is_told) in TURNS {
        apart.say(&format!("notifications: {import_id}"));
        let (written, counts) = writer.turn(import_id, is_told).await?;
        let sum = if is_told { &mut told } else { &mut untold };
        *sum = Some(sum.map_or(written, |before: Written| before.and(written)));
        if is_told {
            notifications += counts.notifications;
            events += counts.events;
        }
    }
    let none = "no turns";
    let (untold, told) = (untold.ok_or(none)?, told.ok_or(none)?);
    Ok(Outbox { untold, told, per_event: notifications / events })
}

/// Grants that are used up one after the other, the first of them sooner or later, so that not all
/// customers come to an end of theirs at the same time.
fn small(customer: &str) -> Vec<CreateGrantRequest> {
    let first = Random::new().up_to(EVENTS_PER_GRANT);
    let of_place = |place: u32| CreateGrantRequest {
        request_id: format!("small-grant-{place}"),
        customer_id: customer.to_owned(),
        r#type: GrantType::Units.into(),
        metrics: vec![METRIC.to_owned()],
        amount: for_events(if place == 1 { first } else { EVENTS_PER_GRANT }),
        priority: Some(0),
        ..CreateGrantRequest::default()
    };
    (1..=SMALL_GRANTS).map(of_place).collect()
}

/// What so many events use.
fn for_events(count: u32) -> String {
    format!("{}.{}", count * 3 / 2, count * 3 % 2 * 5)
}

/// Everything that may be told, to this endpoint.
fn everything(endpoint: &str) -> Value {
    let rest: u64 = AMOUNT.parse::<u64>().unwrap_or_default() * u64::from(GRANTS);
    let lines = (0..SMALL_GRANTS).map(|below| {
        let left = rest + u64::from(EVENTS_PER_GRANT * 3 / 2 * (2 * below + 1) / 2);
        json!({ "metric": METRIC, "amount": left.to_string(), "recover_at": left.to_string() })
    });
    json!({
        "endpoints": [{ "id": endpoint, "types": null }],
        "warnings": [2_592_000, 259_200],
        "thresholds": lines.collect::<Vec<_>>(),
    })
}

/// What was written so far.
#[derive(Debug, Clone, Copy)]
struct Counts {
    notifications: f64,
    events: f64,
}

impl Counts {
    async fn read(database: &Client) -> Result<Self> {
        let count = "select (select count(*) from deliveries), (select count(*) from usage_events)";
        let row = database.query_one(count, &[]).await?;
        let at = |index| Result::<f64>::Ok(float(row.try_get::<_, i64>(index)?));
        Ok(Self { notifications: at(0)?, events: at(1)? })
    }

    fn since(self, before: Self) -> Self {
        Self {
            notifications: self.notifications - before.notifications,
            events: self.events - before.events,
        }
    }
}

impl Written {
    fn and(self, other: Self) -> Self {
        Self { usage: self.usage.and(other.usage), import: self.import.and(other.import) }
    }
}

impl Writer<'_> {
    /// Usage, then an import; and what the usage has left behind.
    async fn turn(&self, import_id: &'static str, is_told: bool) -> Result<(Written, Counts)> {
        let Self { apart, creditd, database, watched, everything } = self;
        let Options { seconds, customers, ids, rows, .. } = *apart.options;
        let new = || Events::new(Workload::Spread(customers), ids);
        let nothing = json!({ "endpoints": [], "warnings": [], "thresholds": [] });
        seed::interests(database, if is_told { everything } else { &nothing }).await?;
        // Grants' due instants are others now, which is written once.
        sweep::warm(creditd, customers, new()).await?;
        apart.postgres.checkpoint().await?;
        let before = Counts::read(database).await?;
        let usage = stream::load(creditd, *watched, seconds, SHAPES[0], None, new).await?;
        let written = Counts::read(database).await?.since(before);
        if is_told != (written.notifications > 0.0) {
            return Err(format!("{import_id}: {} notifications", written.notifications).into());
        }
        apart.postgres.checkpoint().await?;
        let channel = creditd.channels(1).await?.remove(0);
        let (_, import) = import::import(channel, *watched, import_id, rows.min(ROWS)).await?;
        Ok((Written { usage, import }, written))
    }
}
