//! The sweeper and many grants that fall due together, beside one statement written by hand that
//! does the same; and what calls notice of it meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::apart::Apart;
use crate::balance::quantile;
use crate::call::Call;
use crate::cpu::Watched;
use crate::events::{Events, Workload, customer};
use crate::meter::{Measured, Meter, float};
use crate::report::{Aim, Group, Row, unary_name};
use crate::seed::{self, GRANTS_EACH};
use crate::server::{Creditd, Postgres, connect};
use crate::unary::Latency;
use crate::{Options, Result, copy, events, stream, unary};

/// Its own, so that all that falls due there was made by SQL.
pub const DATABASE: &str = "swept";
const BY_HAND_DATABASE: &str = "swept_by_hand";
/// Calls in flight while it sweeps.
const IN_FLIGHT: usize = 64;
/// How often it is looked whether something is still due.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What one would write by hand: everything that creditd writes, for all grants at once.
const BY_HAND: &str = "with ended as ( \
      update grants set expired = expired + remaining, remaining = 0, updated_at = expires_at, \
        due_at = expires_at + interval '72 hours' \
      where due_at <= now() returning customer_id, id, sequence, expired, expires_at \
    ), counted as ( \
      update customers c set revision = c.revision + e.entries, version = c.version + 1, \
        recorded_at = e.last \
      from (select customer_id, count(*) as entries, max(expires_at) as last \
            from ended group by customer_id) e \
      where c.id = e.customer_id returning c.id, c.revision - e.entries as revision \
    ) insert into ledger_entries (customer_id, sequence, grant_id, type, amount, balance_after, \
      held_amount, held_after, actor, occurred_at, recorded_at) \
    select e.customer_id, \
      c.revision + row_number() over (partition by e.customer_id order by e.sequence), \
      e.id, 'expired', -e.expired, 0, 0, 0, 'creditd', e.expires_at, e.expires_at \
    from ended e join counted c on c.id = e.customer_id";

/// RecordUsage of other customers.
#[derive(Debug)]
struct Usage {
    measured: Measured,
    latency: Latency,
}

/// What sweeping takes, and what it costs others.
#[derive(Debug)]
pub struct Sweep {
    pub grants: f64,
    by_hand: Measured,
    /// With nothing else to do.
    alone: Measured,
    /// While others used something.
    pub beside: Measured,
    before: Usage,
    meanwhile: Usage,
}

impl Sweep {
    pub fn group(&self) -> Group {
        let rate = self.by_hand.rate();
        let swept = |name: &str, measured: &Measured| Row {
            limit: Some(measured.rate() / rate),
            ..Row::new(name.to_owned(), measured)
        };
        let called = |name: String, usage: &Usage| Row {
            latency: Some([0.5, 0.99, 0.999].map(|at| quantile(&usage.latency, at))),
            ..Row::new(name, &usage.measured)
        };
        Group {
            name: format!("sweep of {} due grants, {GRANTS_EACH} a customer", self.grants),
            rows: vec![
                swept("one statement by hand", &self.by_hand),
                swept("creditd serve", &self.alone),
                called(unary_name(Call::RecordUsage, IN_FLIGHT), &self.before),
                called("the same while it sweeps".to_owned(), &self.meanwhile),
            ],
        }
    }

    pub fn aims(&self) -> [Aim; 1] {
        let p99 = |usage: &Usage| quantile(&usage.latency, 0.99);
        let ratio = p99(&self.meanwhile) / p99(&self.before);
        [Aim::at_most("p99 of RecordUsage while it sweeps / while nothing is due", 2.0, ratio)]
    }

    pub fn json(&self) -> Value {
        json!({ "grants": self.grants, "per_second_beside_usage": self.beside.rate() })
    }
}

/// Sweeps what SQL has made due, and then has a statement do the same to the same rows.
pub async fn load(apart: &Apart<'_>, url: &str) -> Result<Sweep> {
    let Apart { options, postgres, .. } = *apart;
    let mut database = connect(&postgres.config(DATABASE)).await?;
    seed::due_grants(&mut database, customers(options)).await?;
    apart.say("sweep: calls while nothing is swept");
    let before = unswept(apart, url).await?;
    apart.say("sweep: calls meanwhile");
    postgres.checkpoint().await?;
    let creditd = apart.serve(url, &[]).await?;
    let sweeping = creditd.explain(sweeping(apart, &creditd, &database).await)?;
    creditd.stop().await?;
    apart.say("sweep: by hand");
    let by_hand = by_hand(postgres, customers(options)).await?;
    let Sweeping { beside, meanwhile, alone } = sweeping;
    let grants = by_hand.events;
    Ok(Sweep { grants, by_hand, alone, beside, before, meanwhile })
}

/// So many have grants that are due.
fn customers(options: &Options) -> u32 {
    options.due / GRANTS_EACH
}

/// Makes the customers who use something, and calls of theirs while all that is due is left alone.
async fn unswept(apart: &Apart<'_>, url: &str) -> Result<Usage> {
    let Apart { options, postgres, .. } = *apart;
    let creditd = apart.serve(url, &["--no-sweeper"]).await?;
    let calls = async {
        unary::make_grants(&creditd, options.customers, events::units).await?;
        postgres.checkpoint().await?;
        usage(apart, &creditd).await
    };
    let usage = creditd.explain(calls.await)?;
    creditd.stop().await?;
    Ok(usage)
}

/// Calls, by customers who are all known to the server.
async fn usage(apart: &Apart<'_>, creditd: &Creditd) -> Result<Usage> {
    let Options { seconds, customers, ids, .. } = *apart.options;
    let new = || Events::new(Workload::Spread(customers), ids);
    warm(creditd, customers, new()).await?;
    let watched = apart.watched(creditd)?;
    let call = Call::RecordUsage;
    let (measured, latency) = unary::load(creditd, watched, seconds, call, IN_FLIGHT, new).await?;
    Ok(Usage { measured, latency })
}

/// An event of each customer.
pub async fn warm(creditd: &Creditd, customers: u32, mut events: Events) -> Result<()> {
    let channel = creditd.channels(1).await?.remove(0);
    let mut numbers = (1..=customers).cycle();
    let event = move || {
        let number = numbers.next().unwrap_or_default();
        events.of(customer(number), std::time::SystemTime::now())
    };
    stream::exactly(channel, usize::try_from(customers)?, event).await
}

/// What a server does that finds much due.
struct Sweeping {
    beside: Measured,
    meanwhile: Usage,
    alone: Measured,
}

async fn sweeping(apart: &Apart<'_>, creditd: &Creditd, database: &Client) -> Result<Sweeping> {
    let watched = apart.watched(creditd)?;
    let (meter, first) = (Meter::start(watched)?, count(database).await?);
    let meanwhile = usage(apart, creditd).await?;
    let (rest, left) = (Meter::start(watched)?, count(database).await?);
    if left < 1.0 {
        return Err("the sweep was over before the calls: try more --due".into());
    }
    let beside = meter.after(first - left)?;
    apart.say("sweep: alone");
    while is_any_due(database).await? {
        sleep(LOOK_EVERY).await;
    }
    Ok(Sweeping { beside, meanwhile, alone: rest.after(left)? })
}

/// Grants that are due.
async fn count(database: &Client) -> Result<f64> {
    let row = database.query_one("select count(*) from grants where due_at <= now()", &[]).await?;
    Ok(float(row.try_get::<_, i64>(0)?))
}

async fn is_any_due(database: &Client) -> Result<bool> {
    let any = "select exists (select from grants where due_at <= now())";
    Ok(database.query_one(any, &[]).await?.try_get(0)?)
}

/// The same rows in the same tables.
async fn by_hand(postgres: &Postgres, customers: u32) -> Result<Measured> {
    copy::prepare(postgres, BY_HAND_DATABASE).await?;
    let mut database = connect(&postgres.config(BY_HAND_DATABASE)).await?;
    seed::due_grants(&mut database, customers).await?;
    postgres.checkpoint().await?;
    let meter = Meter::start(Watched { server: None, postgres: postgres.pid()? })?;
    let entries = database.execute(BY_HAND, &[]).await?;
    let measured = meter.after(float(entries))?;
    if entries == u64::from(customers * GRANTS_EACH) {
        Ok(measured)
    } else {
        Err(format!("by hand {entries} grants ended").into())
    }
}
