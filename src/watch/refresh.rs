//! The refresher: reads those who are watched when they change, by a command or by time alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::roster::Pass;
use super::{Ending, Hub, Shown};
use crate::domain::account::Account;
use crate::domain::balance::{Balance, PayingFor};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::limits;
use crate::store::{Clock, Error, Result, Store};

/// Keeps those who watch up to date until `closing`; then their subscriptions end.
pub async fn run(hub: Arc<Hub>, store: Store, engine: Arc<Engine>, closing: CancellationToken) {
    // However this ends: who watches a hub that nobody refreshes would wait for ever.
    let hub = Closing(hub);
    let mut refresher = Refresher { hub: &hub.0, store: &store, told: None };
    let work = async { tokio::join!(refresher.run(), book(&hub.0, &engine)) };
    closing.run_until_cancelled(work).await;
}

struct Closing(Arc<Hub>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Books what is due of those who are watched: what a balance shows must be in the ledger, or
/// something else could yet be recorded under the revision that was shown. Apart from reading,
/// because a customer may be locked, and others' watchers must not wait for that.
async fn book(hub: &Hub, engine: &Engine) {
    loop {
        let due = hub.due().await;
        if !engine.book_due_of(due.clone()).await.failures.is_empty() {
            sleep(limits::RECONNECT_PAUSE_MAX).await;
        }
        hub.put_back(due);
    }
}

/// One task, so that what is read later is shown later.
struct Refresher<'a> {
    hub: &'a Hub,
    store: &'a Store,
    told: Option<Told>,
}

/// What the database's clock showed, and when that was by the machine's steady one. That tells how
/// long to sleep, and nothing else.
struct Told {
    clock: Timestamp,
    at: Instant,
}

impl Refresher<'_> {
    async fn run(&mut self) {
        let mut pause = limits::RECONNECT_PAUSE_MIN;
        loop {
            let Err(error) = self.step().await else {
                pause = limits::RECONNECT_PAUSE_MIN;
                continue;
            };
            if pause == limits::RECONNECT_PAUSE_MIN {
                tracing::warn!(%error, "watched balances cannot be read; it is tried again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::RECONNECT_PAUSE_MAX);
        }
    }

    /// Reads those who are to be read, or else waits until there are some.
    async fn step(&mut self) -> Result<()> {
        if let Some(pass) = self.hub.begin_pass() {
            return self.read(pass).await;
        }
        let clock = tokio::select! {
            () = self.hub.stale.notified() => return Ok(()),
            clock = self.clock_at(self.hub.next_turn()) => clock?,
        };
        self.tell(clock);
        Ok(())
    }

    async fn read(&mut self, pass: Pass) -> Result<()> {
        let error = match self.store.accounts(&pass.customers).await {
            Ok(read) => {
                read.accounts.iter().for_each(|account| self.show(pass.number, account));
                self.hub.lag.took(pass.since.elapsed());
                self.tell(read.clock);
                return Ok(());
            }
            Err(error) => error,
        };
        match &pass.customers[..] {
            _ if !matches!(error, Error::Corrupt(_) | Error::Constraint { .. }) => {
                self.hub.put_back(pass.customers);
                Err(error)
            }
            [alone] => {
                self.give_up(alone.key, &error);
                Ok(())
            }
            _ => self.read_one_by_one(pass).await,
        }
    }

    /// The rows of one of them do not read: alone, only its watchers are told so.
    async fn read_one_by_one(&mut self, pass: Pass) -> Result<()> {
        let Pass { number, since, customers } = pass;
        let mut customers = customers.into_iter();
        while let Some(customer) = customers.next() {
            let alone = Pass { number, since, customers: vec![customer] };
            if let Err(error) = Box::pin(self.read(alone)).await {
                self.hub.put_back(customers);
                return Err(error);
            }
        }
        Ok(())
    }

    fn show(&self, pass: u64, account: &Account) {
        let customer = account.customer().clone();
        if !account.changes().entries.is_empty() {
            return self.hub.with(|roster| roster.book(customer.key));
        }
        match Balance::of(account, &PayingFor::Anything) {
            Ok(balance) => {
                let shown = Shown { customer, balance };
                self.hub.with(|roster| roster.publish(pass, shown, account.turns_at()));
            }
            Err(error) => self.give_up(customer.key, &error),
        }
    }

    fn give_up(&self, key: Uuid, error: &dyn std::fmt::Display) {
        let id = Uuid::now_v7();
        tracing::error!(%id, %error, "a watched balance does not read");
        self.hub.with(|roster| roster.end(key, Ending::Unreadable(id)));
    }

    /// Takes note of what the clock shows.
    fn tell(&mut self, clock: Timestamp) {
        self.told = Some(Told { clock, at: Instant::now() });
        self.hub.with(|roster| roster.turned(clock));
    }

    /// Waits until the clock shows `at`, or until it is time to look at it again; what it shows.
    async fn clock_at(&self, at: Option<Timestamp>) -> Result<Timestamp> {
        let Some(at) = at else { return std::future::pending().await };
        match self.store.clock() {
            Clock::Test(clock) => {
                clock.reaches(at).await;
                Ok(clock.now())
            }
            Clock::Database => {
                sleep(self.told.as_ref().map_or(Duration::ZERO, |told| told.until(at))).await;
                self.store.now().await
            }
        }
    }
}

impl Told {
    /// How long to sleep until it shows `at`: not for ever, as a clock may be set.
    fn until(&self, at: Timestamp) -> Duration {
        let ahead = (at - self.clock).to_std().unwrap_or_default();
        ahead.saturating_sub(self.at.elapsed()).min(limits::CLOCK_LOOK_EVERY)
    }
}
