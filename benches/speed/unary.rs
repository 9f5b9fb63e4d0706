//! Unary calls, so many in flight at a time.

use std::sync::Arc;
use std::time::Duration;

use creditd::pb::CreateGrantRequest;
use creditd::pb::credit_service_client::CreditServiceClient;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::Client;
use tonic::transport::Channel;

use crate::Result;
use crate::call::{Call, Callers};
use crate::cpu::Watched;
use crate::events::{Events, customer};
use crate::meter::Measured;
use crate::server::{Creditd, Postgres, connect};
use crate::window::Window;

/// Connections that the calls are spread over.
const CHANNELS: usize = 4;
/// Calls in flight while grants are made.
const MAKERS: u32 = 128;

/// Latencies in microseconds.
pub type Latency = Histogram<u64>;

/// An empty histogram: to a minute, to three digits.
pub fn latency() -> Result<Latency> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Calls with this many in flight, for a while.
pub async fn load(
    creditd: &Creditd,
    watched: Watched,
    seconds: f64,
    call: Call,
    in_flight: usize,
    events: impl Fn() -> Events,
) -> Result<(Measured, Latency)> {
    let window = Arc::new(Window::default());
    let channels = creditd.channels(CHANNELS.min(in_flight)).await?;
    let mut callers = JoinSet::new();
    for caller in 0..in_flight {
        let channel = channels[caller % channels.len()].clone();
        let (window, events) = (Arc::clone(&window), events());
        callers.spawn(async move {
            let done = endless(call, channel, &window, events).await;
            if done.is_err() {
                window.end();
            }
            done
        });
    }
    let measured = window.measure(watched, seconds).await?;
    let mut all = latency()?;
    while let Some(done) = callers.join_next().await {
        all.add(done??)?;
    }
    Ok((measured, all))
}

async fn endless(
    call: Call,
    channel: Channel,
    window: &Window,
    mut events: Events,
) -> Result<Latency> {
    let mut callers = Callers::new(channel);
    let mut latency = latency()?;
    while !window.is_over() {
        let counts = window.is_measuring();
        let taken = call.once(&mut callers, &mut events).await?;
        window.answered(1);
        if counts {
            latency.record(micros(taken))?;
        }
    }
    Ok(latency)
}

/// A lone call beside a bare commit.
#[derive(Debug)]
pub struct Lone {
    /// Of one row inserted and committed, over a connection to PostgreSQL.
    pub commit: Latency,
    /// Of one RecordUsage.
    pub call: Latency,
}

/// Alternates the two, never at the same time, so that both meet the same disk.
pub async fn lone(
    creditd: &Creditd,
    postgres: &Postgres,
    seconds: f64,
    mut events: Events,
) -> Result<Lone> {
    let database = connect(&postgres.config(crate::naive::DATABASE)).await?;
    database.batch_execute("create table bare (id bigint primary key, note text)").await?;
    let insert = database.prepare("insert into bare values ($1, 'a row as small as any')").await?;
    let channel = creditd.channels(1).await?.remove(0);
    let mut callers = Callers::new(channel);
    let mut lone = Lone { commit: latency()?, call: latency()? };
    let begun = Instant::now();
    let (warm, over) = (Duration::from_millis(500), Duration::from_secs_f64(seconds + 0.5));
    let mut row: i64 = 0;
    while begun.elapsed() < over {
        row += 1;
        let commit = bare(&database, &insert, row).await?;
        let call = callers.record(&mut events).await?;
        if begun.elapsed() > warm {
            lone.commit.record(micros(commit))?;
            lone.call.record(micros(call))?;
        }
    }
    Ok(lone)
}

async fn bare(database: &Client, insert: &tokio_postgres::Statement, row: i64) -> Result<Duration> {
    let begun = Instant::now();
    database.execute(insert, &[&row]).await?;
    Ok(begun.elapsed())
}

/// Makes grants of customers 0 to `last`, and returns how many a second.
pub async fn make_grants(
    creditd: &Creditd,
    last: u32,
    of: fn(&str) -> Vec<CreateGrantRequest>,
) -> Result<f64> {
    let channels = creditd.channels(CHANNELS).await?;
    let begun = Instant::now();
    let mut makers = JoinSet::new();
    for (maker, channel) in (0..MAKERS).zip(channels.iter().cycle()) {
        let mut client = CreditServiceClient::new(channel.clone());
        makers.spawn(async move {
            let mut made: u32 = 0;
            for number in (0..=last).skip(usize::try_from(maker)?).step_by(usize::try_from(MAKERS)?)
            {
                for request in of(&customer(number)) {
                    client.create_grant(request).await?;
                    made += 1;
                }
            }
            Result::<u32>::Ok(made)
        });
    }
    let mut made = 0;
    while let Some(done) = makers.join_next().await {
        made += done??;
    }
    Ok(f64::from(made) / begun.elapsed().as_secs_f64())
}
