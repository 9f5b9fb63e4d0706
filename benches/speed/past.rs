//! GetBalance of a past instant, beside GetBalance now.

use std::time::{Duration, SystemTime};

use creditd::domain::ids::Customer;
use creditd::pb::credit_service_client::CreditServiceClient;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::Result;
use crate::balance::{ask, quantile};
use crate::history::{History, LONG};
use crate::report::{Aim, latency_json};
use crate::server::{Creditd, Postgres, connect};
use crate::unary::{Latency, latency, micros};

/// Where in the history the instants lie, in percent.
const PERCENTS: [usize; 3] = [1, 50, 99];

/// GetBalance of the long history, now and as of instants in it.
#[derive(Debug)]
pub struct Past {
    pub entries: usize,
    pub now: Latency,
    pub then: Vec<(usize, Latency)>,
}

/// An instant in the history.
struct Then {
    as_of: SystemTime,
    /// The last sequence recorded by then.
    revision: i64,
}

impl Past {
    /// The medians of the past ones.
    fn medians(&self) -> impl Iterator<Item = f64> {
        self.then.iter().map(|(_, latency)| quantile(latency, 0.5))
    }

    pub fn aims(&self) -> [Aim; 2] {
        let most = self.medians().fold(0.0, f64::max);
        let least = self.medians().fold(f64::INFINITY, f64::min);
        let now = quantile(&self.now, 0.5);
        [
            Aim::at_most("GetBalance of the past, the dearest / of now", 20.0, most / now),
            Aim::at_most("GetBalance of the past, the dearest / the cheapest", 2.0, most / least),
        ]
    }

    pub fn json(&self) -> Value {
        let then = self.then.iter().map(|(percent, latency)| {
            json!({ "percent_of_history": percent, "latency": latency_json(latency) })
        });
        json!({
            "entries": self.entries,
            "now": latency_json(&self.now),
            "then": then.collect::<Vec<_>>(),
        })
    }
}

/// Asks for now and for each of the instants in turn.
pub async fn load(
    creditd: &Creditd,
    postgres: &Postgres,
    seconds: f64,
    history: &History,
) -> Result<Past> {
    let channel = creditd.channels(1).await?.remove(0);
    let mut client = CreditServiceClient::new(channel);
    let database = connect(postgres.own()).await?;
    let mut past = Past { entries: history.long_entries, now: latency()?, then: Vec::new() };
    let mut instants = Vec::new();
    for percent in PERCENTS {
        instants.push(instant(&database, history.long_entries * percent / 100).await?);
        past.then.push((percent, latency()?));
    }
    let begun = Instant::now();
    let (warm, over) = (Duration::from_millis(500), Duration::from_secs_f64(seconds + 0.5));
    while begun.elapsed() < over {
        let counts = begun.elapsed() > warm;
        let (now, _) = ask(&mut client, LONG, None).await?;
        if counts {
            past.now.record(micros(now))?;
        }
        for (Then { as_of, revision }, (_, latency)) in instants.iter().zip(&mut past.then) {
            let (taken, balance) = ask(&mut client, LONG, Some(*as_of)).await?;
            if balance.revision != *revision {
                return Err(format!("a past balance is of another instant: {balance:?}").into());
            }
            if counts {
                latency.record(micros(taken))?;
            }
        }
    }
    Ok(past)
}

/// When an entry was recorded, and with it perhaps later ones.
async fn instant(database: &Client, sequence: usize) -> Result<Then> {
    let query = "select l.recorded_at, (select max(sequence) from ledger_entries \
         where customer_id = l.customer_id and recorded_at = l.recorded_at) \
         from ledger_entries l where customer_id = $1::text::uuid and sequence = $2";
    let key = Customer::stored(LONG).key.to_string();
    let row = database.query_one(query, &[&key, &i64::try_from(sequence.max(1))?]).await?;
    Ok(Then { as_of: row.try_get(0)?, revision: row.try_get(1)? })
}
