//! SummarizeUsage of a long history, beside adding up its events one by one.

use std::time::{Duration, SystemTime};

use creditd::domain::ids::Customer;
use creditd::pb::usage_service_client::UsageServiceClient;
use creditd::pb::{SummarizeUsageRequest, UsageSummary, UsageWindow};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_postgres::{Client, Statement};
use tonic::transport::Channel;

use crate::Result;
use crate::history::{History, LONG};
use crate::report::latency_json;
use crate::server::{Creditd, Postgres, connect};
use crate::unary::{Latency, latency, micros};

/// How far the ends asked for lie within the history: off the hour, both.
const OFF: Duration = Duration::from_millis(427_427);
/// How often each is asked at least: adding up a million events may take a second.
const ROUNDS_MIN: u64 = 5;
/// What one would write by hand.
const SUM: &str = "select metric, count(*), trim_scale(sum(quantity))::text from usage_events \
    where customer_id = $1::text::uuid and timestamp >= $2 and timestamp < $3 group by metric";

/// Adding up the long history.
#[derive(Debug)]
pub struct Summary {
    pub events: i64,
    /// The statement.
    pub by_hand: Latency,
    /// SummarizeUsage: one row, and a row a day.
    pub whole: Latency,
    pub by_day: Latency,
}

impl Summary {
    pub fn json(&self) -> Value {
        json!({
            "events": self.events,
            "by_hand": latency_json(&self.by_hand),
            "all": latency_json(&self.whole),
            "day": latency_json(&self.by_day),
        })
    }
}

/// Who asks, and for what.
struct Asker {
    client: UsageServiceClient<Channel>,
    database: Client,
    sum: Statement,
    after: SystemTime,
    before: SystemTime,
}

/// Asks in turn.
pub async fn load(
    creditd: &Creditd,
    postgres: &Postgres,
    seconds: f64,
    history: &History,
) -> Result<Summary> {
    let database = connect(postgres.own()).await?;
    let mut asker = Asker {
        client: UsageServiceClient::new(creditd.channels(1).await?.remove(0)),
        sum: database.prepare(SUM).await?,
        database,
        after: history.begins + OFF,
        before: history.ends - OFF,
    };
    let mut summary =
        Summary { events: 0, by_hand: latency()?, whole: latency()?, by_day: latency()? };
    let begun = Instant::now();
    let over = Duration::from_secs_f64(seconds);
    while begun.elapsed() < over || summary.by_hand.len() < ROUNDS_MIN {
        let (by_hand, events, quantity) = asker.by_hand().await?;
        let (whole, rows) = asker.summarize(UsageWindow::All).await?;
        match rows.as_slice() {
            [row] if row.events == events && row.quantity == quantity => summary.events = events,
            _ => return Err(format!("{events} events of {quantity} in all, not {rows:?}").into()),
        }
        let (by_day, rows) = asker.summarize(UsageWindow::Day).await?;
        if rows.iter().map(|row| row.events).sum::<i64>() != events {
            return Err(format!("{events} events, not {rows:?}").into());
        }
        summary.by_hand.record(micros(by_hand))?;
        summary.whole.record(micros(whole))?;
        summary.by_day.record(micros(by_day))?;
    }
    Ok(summary)
}

impl Asker {
    /// How long it took, and how many events used how much.
    async fn by_hand(&self) -> Result<(Duration, i64, String)> {
        let key = Customer::stored(LONG).key.to_string();
        let begun = Instant::now();
        let row = self.database.query_one(&self.sum, &[&key, &self.after, &self.before]).await?;
        Ok((begun.elapsed(), row.try_get(1)?, row.try_get(2)?))
    }

    async fn summarize(&mut self, window: UsageWindow) -> Result<(Duration, Vec<UsageSummary>)> {
        let request = SummarizeUsageRequest {
            customer_id: LONG.to_owned(),
            timestamp_after: Some(self.after.into()),
            timestamp_before: Some(self.before.into()),
            window: window.into(),
            ..SummarizeUsageRequest::default()
        };
        let begun = Instant::now();
        let answer = self.client.summarize_usage(request).await?.into_inner();
        Ok((begun.elapsed(), answer.rows))
    }
}
