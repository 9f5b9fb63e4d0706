//! GetBalance must not grow dearer with a customer's history.

use std::time::{Duration, SystemTime};

use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::{Balance, GetBalanceRequest};
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::Result;
use crate::history::{History, LONG, SHORT};
use crate::server::Creditd;
use crate::unary::{Latency, latency, micros};

/// GetBalance of the two customers.
#[derive(Debug)]
pub struct Flatness {
    pub short_entries: usize,
    pub long_entries: usize,
    pub short: Latency,
    pub long: Latency,
}

impl Flatness {
    /// By the medians.
    pub fn ratio(&self) -> f64 {
        quantile(&self.long, 0.5) / quantile(&self.short, 0.5)
    }
}

/// A quantile in milliseconds.
pub fn quantile(latency: &Latency, at: f64) -> f64 {
    f64::from(u32::try_from(latency.value_at_quantile(at)).unwrap_or(u32::MAX)) / 1_000.0
}

/// Asks for the two balances in turn.
pub async fn flatness(creditd: &Creditd, seconds: f64, history: &History) -> Result<Flatness> {
    let mut client = CreditServiceClient::new(creditd.channels(1).await?.remove(0));
    let History { short_entries, long_entries, .. } = *history;
    let mut flatness =
        Flatness { short_entries, long_entries, short: latency()?, long: latency()? };
    let begun = Instant::now();
    let (warm, over) = (Duration::from_millis(500), Duration::from_secs_f64(seconds + 0.5));
    while begun.elapsed() < over {
        let short = ask(&mut client, SHORT, None).await?.0;
        let long = ask(&mut client, LONG, None).await?.0;
        if begun.elapsed() > warm {
            flatness.short.record(micros(short))?;
            flatness.long.record(micros(long))?;
        }
    }
    Ok(flatness)
}

/// How long the answer took, and the balance: of now, or of a past instant.
pub async fn ask(
    client: &mut CreditServiceClient<Channel>,
    customer: &str,
    as_of: Option<SystemTime>,
) -> Result<(Duration, Balance)> {
    let request = GetBalanceRequest {
        customer_id: customer.to_owned(),
        as_of: as_of.map(Into::into),
        ..Default::default()
    };
    let begun = Instant::now();
    let answer = client.get_balance(request).await?.into_inner();
    let taken = begun.elapsed();
    Ok((taken, answer.balance.ok_or("no balance")?))
}
