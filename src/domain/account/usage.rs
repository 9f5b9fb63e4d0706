//! Decisions about usage.

use std::sync::Arc;

use super::Account;
use super::booking::{Cause, Draft};
use crate::domain::amount::Amount;
use crate::domain::command::{Outcome, RecordUsage};
use crate::domain::drawdown::{Draw, Plan, Purpose};
use crate::domain::entry::EntryType;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::usage::{Allocation, Uncovered, UsageEvent};
use crate::limits;

impl Account {
    /// The ladder: the key; the timestamp's window; the credit, where overage is refused.
    pub(super) fn record_usage(
        &mut self,
        usage: &RecordUsage,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        if let Some(event) = self.events.get(&usage.event_id) {
            return if usage.made(event) {
                Ok(Outcome::Usage { event: Arc::clone(event), duplicate: true })
            } else {
                Err(Refusal::EventIdReused)
            };
        }
        let timestamp = usage.timestamp.unwrap_or(self.now);
        self.check_window(timestamp)?;
        let plan = self.plan(Purpose::Usage(&usage.metric), usage.quantity, timestamp)?;
        if usage.policy == Uncovered::Reject && plan.uncovered.is_positive() {
            return Err(Refusal::InsufficientCredits {
                requested: usage.quantity,
                available: plan.covered,
            });
        }
        let mut draft = Draft::of(self);
        draft.take(&plan, EntryType::Consumed)?;
        let postings = draft.finish();
        let cause = Cause {
            event_id: Some(usage.event_id.clone()),
            occurred_at: timestamp,
            ..Cause::call(actor, self.now)
        };
        let entries = self.book_all(&postings, &cause)?;
        let event = self.add_event(UsageEvent {
            event_id: usage.event_id.clone(),
            metric: usage.metric.clone(),
            quantity: usage.quantity,
            timestamp,
            timestamp_given: usage.timestamp.is_some(),
            policy: usage.policy,
            metadata: usage.metadata.clone(),
            uncovered: plan.uncovered,
            reversed: Amount::ZERO,
            taken: self.taken(&plan).collect(),
            hold_id: None,
            entries,
            recorded_at: self.now,
        });
        Ok(Outcome::Usage { event, duplicate: false })
    }

    /// Whether an event of this timestamp may still be recorded, both edges included.
    ///
    /// # Errors
    /// [`Refusal::TimestampOutOfWindow`].
    pub fn check_window(&self, timestamp: Timestamp) -> Result<(), Refusal> {
        let age = self.now.signed_duration_since(timestamp);
        if age > self.windows.max_event_age {
            return Err(Refusal::TimestampOutOfWindow);
        }
        self.check_not_ahead(timestamp)
    }

    /// Whether a timestamp is no further ahead than a caller's clock may be.
    ///
    /// # Errors
    /// [`Refusal::TimestampOutOfWindow`].
    pub fn check_not_ahead(&self, timestamp: Timestamp) -> Result<(), Refusal> {
        let ahead = timestamp.signed_duration_since(self.now);
        if ahead <= limits::TIMESTAMP_AHEAD_MAX {
            Ok(())
        } else {
            Err(Refusal::TimestampOutOfWindow)
        }
    }

    /// Plans what grants that were live at this instant pay.
    pub(super) fn plan(
        &self,
        purpose: Purpose<'_>,
        quantity: Amount,
        at: Timestamp,
    ) -> Result<Plan, Refusal> {
        let draw = Draw { purpose, quantity, at, now: self.now, windows: &self.windows };
        Ok(draw.plan(self.grants())?)
    }

    /// What a plan takes of each grant.
    pub(super) fn taken(&self, plan: &Plan) -> impl Iterator<Item = Allocation> {
        plan.slices.iter().map(|slice| Allocation {
            grant_id: self.slots[slice.index].grant.id,
            amount: slice.take,
        })
    }

    /// Adds an event to what is to be written, and to what is known of its key.
    pub(super) fn add_event(&mut self, event: UsageEvent) -> Arc<UsageEvent> {
        let event = Arc::new(event);
        self.events.insert(event.event_id.clone(), Arc::clone(&event));
        self.changes.events.push(Arc::clone(&event));
        self.count_event();
        event
    }
}
