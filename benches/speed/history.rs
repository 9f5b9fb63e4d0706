//! Two customers whose histories differ in length.

use std::time::{Duration, SystemTime};

use creditd::pb::credit_service_client::CreditServiceClient;

use crate::Result;
use crate::balance::ask;
use crate::events::{Events, GRANTS, Ids, Workload, units};
use crate::server::Creditd;
use crate::stream;

pub const SHORT: &str = "customer-short";
pub const LONG: &str = "customer-long";
/// Ledger entries of the short one.
const SHORT_ENTRIES: usize = 1_000;
/// When their events happened, evenly: what a biller asks about.
const LAST: Duration = Duration::from_secs(30 * 86_400);

/// Ledger entries of the two, and when their events happened.
#[derive(Debug, Clone, Copy)]
pub struct History {
    pub short_entries: usize,
    pub long_entries: usize,
    pub begins: SystemTime,
    pub ends: SystemTime,
}

/// Fills the two ledgers.
pub async fn make(creditd: &Creditd, long_entries: usize, ids: Ids) -> Result<History> {
    let ends = SystemTime::now();
    let mut history = History { short_entries: 0, long_entries: 0, begins: ends - LAST, ends };
    history.short_entries = history.fill(creditd, SHORT, SHORT_ENTRIES, ids).await?;
    history.long_entries = history.fill(creditd, LONG, long_entries, ids).await?;
    Ok(history)
}

impl History {
    /// Makes the customer, and events until the ledger has this many entries; returns how many it
    /// has.
    async fn fill(&self, creditd: &Creditd, of: &str, entries: usize, ids: Ids) -> Result<usize> {
        let channel = creditd.channels(1).await?.remove(0);
        let mut client = CreditServiceClient::new(channel.clone());
        for mut request in units(of) {
            request.effective_at = Some(self.begins.into());
            client.create_grant(request).await?;
        }
        let count = entries.saturating_sub(usize::try_from(GRANTS)?);
        let between = LAST / u32::try_from(count)?.max(1);
        let (customer, mut events) = (of.to_owned(), Events::new(Workload::One, ids));
        let mut at = self.begins;
        let event = move || {
            let event = events.of(customer.clone(), at);
            at += between;
            event
        };
        stream::exactly(channel, count, event).await?;
        let (_, balance) = ask(&mut client, of, None).await?;
        Ok(usize::try_from(balance.revision)?)
    }
}
