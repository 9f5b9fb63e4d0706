//! GetBalance must not grow dearer with a customer's history.

use std::time::Duration;

use creditd::pb::GetBalanceRequest;
use creditd::pb::credit_service_client::CreditServiceClient;
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::Result;
use crate::events::{Events, Ids, Workload, customer, grants};
use crate::server::Creditd;
use crate::stream;
use crate::unary::{Latency, latency, micros};

/// Ledger entries of the two customers compared.
const SHORT: usize = 1_000;
const SHORT_CUSTOMER: &str = "customer-short";

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

/// Fills two ledgers, then asks for the two balances in turn. The long one is that of the customer
/// who has had all the load so far.
pub async fn flatness(
    creditd: &Creditd,
    seconds: f64,
    long_entries: usize,
    ids: Ids,
) -> Result<Flatness> {
    let channel = creditd.channels(1).await?.remove(0);
    let mut client = CreditServiceClient::new(channel.clone());
    for request in grants(SHORT_CUSTOMER) {
        client.create_grant(request).await?;
    }
    let long_customer = customer(0);
    let short_entries = fill(&channel, SHORT_CUSTOMER, SHORT, ids).await?;
    let long_entries = fill(&channel, &long_customer, long_entries, ids).await?;

    let mut flatness =
        Flatness { short_entries, long_entries, short: latency()?, long: latency()? };
    let begun = Instant::now();
    let (warm, over) = (Duration::from_millis(500), Duration::from_secs_f64(seconds + 0.5));
    while begun.elapsed() < over {
        let short = ask(&mut client, SHORT_CUSTOMER).await?.0;
        let long = ask(&mut client, &long_customer).await?.0;
        if begun.elapsed() > warm {
            flatness.short.record(micros(short))?;
            flatness.long.record(micros(long))?;
        }
    }
    Ok(flatness)
}

/// Adds events until the customer's ledger has this many entries; returns how many it has.
async fn fill(channel: &Channel, customer: &str, entries: usize, ids: Ids) -> Result<usize> {
    let mut client = CreditServiceClient::new(channel.clone());
    let has = ask(&mut client, customer).await?.1;
    let missing = entries.saturating_sub(has);
    if missing > 0 {
        let events = Events::new(Workload::One, ids);
        stream::exactly(channel.clone(), missing, customer, events).await?;
    }
    Ok(ask(&mut client, customer).await?.1)
}

/// How long the answer took, and the customer's revision: the entries of the ledger.
async fn ask(
    client: &mut CreditServiceClient<Channel>,
    customer: &str,
) -> Result<(Duration, usize)> {
    let request = GetBalanceRequest { customer_id: customer.to_owned(), ..Default::default() };
    let begun = Instant::now();
    let answer = client.get_balance(request).await?.into_inner();
    let taken = begun.elapsed();
    let balance = answer.balance.ok_or("no balance")?;
    Ok((taken, usize::try_from(balance.revision)?))
}
