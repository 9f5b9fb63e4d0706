//! What callers do again and again, one call at a time.

use std::time::Duration;

use creditd::pb::credit_service_client::CreditServiceClient;
use creditd::pb::usage_service_client::UsageServiceClient;
use creditd::pb::{HoldStatus, SettleHoldRequest};
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::Result;
use crate::events::{Events, SETTLED};

/// What is measured, of creditd and of the naive way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    RecordUsage,
    /// CreateHold, and when it is answered SettleHold of a part: one pair counts as one.
    HoldAndSettle,
    ApplyCredits,
}

impl Call {
    pub fn name(self) -> &'static str {
        match self {
            Self::RecordUsage => "RecordUsage",
            Self::HoldAndSettle => "hold + settle",
            Self::ApplyCredits => "ApplyCredits",
        }
    }

    /// Does it once, with new ids, and returns how long the answers took.
    pub async fn once(self, callers: &mut Callers, events: &mut Events) -> Result<Duration> {
        match self {
            Self::RecordUsage => callers.record(events).await,
            Self::HoldAndSettle => callers.hold_and_settle(events).await,
            Self::ApplyCredits => callers.apply(events).await,
        }
    }
}

/// Who calls, over one connection.
#[derive(Debug)]
pub struct Callers {
    usage: UsageServiceClient<Channel>,
    credit: CreditServiceClient<Channel>,
}

impl Callers {
    pub fn new(channel: Channel) -> Self {
        let usage = UsageServiceClient::new(channel.clone());
        Self { usage, credit: CreditServiceClient::new(channel) }
    }

    /// The event must be new, and paid for in full.
    pub async fn record(&mut self, events: &mut Events) -> Result<Duration> {
        let request = events.next();
        let begun = Instant::now();
        let answer = self.usage.record_usage(request).await?.into_inner();
        let taken = begun.elapsed();
        match answer.event {
            Some(event) if event.uncovered == "0" && !answer.duplicate => Ok(taken),
            other => Err(format!("an event was not recorded as it should: {other:?}").into()),
        }
    }

    /// The hold must be new, and pay for the event in full.
    async fn hold_and_settle(&mut self, events: &mut Events) -> Result<Duration> {
        let request = events.hold();
        let settle = SettleHoldRequest {
            customer_id: request.customer_id.clone(),
            hold_id: request.hold_id.clone(),
            quantity: SETTLED.to_owned(),
            ..SettleHoldRequest::default()
        };
        let begun = Instant::now();
        let held = self.usage.create_hold(request).await?.into_inner();
        let answer = self.usage.settle_hold(settle).await?.into_inner();
        let taken = begun.elapsed();
        match answer.hold {
            Some(hold)
                if hold.status() == HoldStatus::Settled
                    && hold.settled == SETTLED
                    && !held.replayed =>
            {
                Ok(taken)
            }
            other => Err(format!("a hold was not settled as it should: {other:?}").into()),
        }
    }

    /// The invoice must be new, and paid for in full.
    async fn apply(&mut self, events: &mut Events) -> Result<Duration> {
        let request = events.invoice();
        let begun = Instant::now();
        let answer = self.credit.apply_credits(request).await?.into_inner();
        let taken = begun.elapsed();
        match answer.application {
            Some(done) if done.amount_applied == done.amount_due && !answer.replayed => Ok(taken),
            other => Err(format!("an invoice was not paid as it should: {other:?}").into()),
        }
    }
}
