//! Webhooks to a receiver that answers at once, beside a loop that only sends the same bodies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use creditd::limits::DELIVERIES_IN_FLIGHT;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use reqwest::Client as Sender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::apart::Apart;
use crate::cpu::Watched;
use crate::meter::{Measured, Meter, float};
use crate::receiver::Receiver;
use crate::report::{Group, Row};
use crate::server::{Creditd, connect};
use crate::{Result, seed};

/// Its own, so that nothing else is written meanwhile.
pub const DATABASE: &str = "delivered";
/// What `serve` needs to deliver to a receiver on this machine.
pub const FLAGS: [&str; 2] = ["--webhook-allow-http", "--webhook-allow-private"];
/// Over how many endpoints the deliveries are spread.
const ENDPOINTS: [usize; 2] = [1, 4];
/// How often it is looked whether all has been written down.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long it may take in all.
const PATIENCE: Duration = Duration::from_secs(300);

/// What delivering takes.
#[derive(Debug)]
pub struct Deliver {
    /// The bodies alone.
    posted: Measured,
    /// By the number of endpoints.
    delivered: Vec<(usize, Measured)>,
}

impl Deliver {
    pub fn group(&self) -> Group {
        let rate = self.posted.rate();
        let beside = |name: String, measured: &Measured| Row {
            limit: Some(measured.rate() / rate),
            ..Row::new(name, measured)
        };
        let delivered = self.delivered.iter();
        let mut rows =
            vec![beside(format!("limit: POST, {DELIVERIES_IN_FLIGHT} in flight"), &self.posted)];
        rows.extend(delivered.map(|(endpoints, measured)| {
            beside(format!("webhooks, {endpoints} endpoint(s)"), measured)
        }));
        Group { name: format!("{} webhooks", self.posted.events), rows }
    }
}

/// Delivers what SQL has written, and then sends the same bodies without a database.
pub async fn load(apart: &Apart<'_>, creditd: &Creditd) -> Result<Deliver> {
    let count = apart.options.deliveries;
    let receiver = Receiver::start().await?;
    let mut database = connect(&apart.postgres.config(DATABASE)).await?;
    let mut delivered = Vec::new();
    for endpoints in ENDPOINTS {
        apart.postgres.checkpoint().await?;
        let watched = apart.watched(creditd)?;
        let run = deliver(&mut database, &receiver, watched, endpoints, count);
        let measured = timeout(PATIENCE, run).await.map_err(|_| "webhooks are not delivered")??;
        delivered.push((endpoints, measured));
    }
    apart.say("webhooks: limit");
    let bodies = bodies(&database, count).await?;
    let watched = Watched { server: None, postgres: apart.postgres.pid()? };
    let posted = post(bodies, &receiver.url(), watched).await?;
    Ok(Deliver { posted, delivered })
}

/// From the first request until it is written down that all have been delivered.
async fn deliver(
    database: &mut Client,
    receiver: &Receiver,
    watched: Watched,
    endpoints: usize,
    count: u32,
) -> Result<Measured> {
    let before = receiver.count();
    seed::deliveries(database, &receiver.url(), endpoints, count).await?;
    receiver.reaches(before + 1).await?;
    let meter = Meter::start(watched)?;
    receiver.reaches(before + count).await?;
    while is_any_pending(database).await? {
        sleep(LOOK_EVERY).await;
    }
    let measured = meter.after(float(count))?;
    let undelivered = "select count(*) from deliveries where status <> 'delivered'";
    match database.query_one(undelivered, &[]).await?.try_get(0)? {
        0_i64 => Ok(measured),
        left => Err(format!("{left} webhooks were parked").into()),
    }
}

async fn is_any_pending(database: &Client) -> Result<bool> {
    let any = "select exists (select from deliveries where status = 'pending')";
    Ok(database.query_one(any, &[]).await?.try_get(0)?)
}

async fn bodies(database: &Client, count: u32) -> Result<Vec<String>> {
    let bodies = "select payload from deliveries limit $1";
    let rows = database.query(bodies, &[&i64::from(count)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Sends bodies, as many at a time as an endpoint has in flight.
async fn post(bodies: Vec<String>, url: &str, watched: Watched) -> Result<Measured> {
    // Fails where there is a provider already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let sender = Sender::builder().no_proxy().tls_certs_only([]).build()?;
    let count = float(bodies.len());
    let bodies = Arc::new(Mutex::new(bodies));
    let mut senders = JoinSet::new();
    let meter = Meter::start(watched)?;
    for _ in 0..DELIVERIES_IN_FLIGHT {
        senders.spawn(post_all(sender.clone(), url.to_owned(), Arc::clone(&bodies)));
    }
    while let Some(done) = senders.join_next().await {
        done??;
    }
    meter.after(count)
}

async fn post_all(sender: Sender, url: String, bodies: Arc<Mutex<Vec<String>>>) -> Result<()> {
    loop {
        let next = bodies.lock().map_err(|_| "poisoned")?.pop();
        let Some(body) = next else { return Ok(()) };
        let request = sender.post(&url).header(CONTENT_TYPE, "application/json").body(body);
        let status = request.send().await?.status();
        if status != StatusCode::NO_CONTENT {
            return Err(format!("the receiver answered {status}").into());
        }
    }
}
