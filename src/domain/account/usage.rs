//! Decisions about usage.

use std::sync::Arc;

use super::Account;
use super::booking::{Cause, Posting};
use crate::domain::command::{Outcome, RecordUsage};
use crate::domain::drawdown::{Draw, Plan};
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
        let plan = self.plan(usage, timestamp)?;
        if usage.policy == Uncovered::Reject && plan.uncovered.is_positive() {
            return Err(Refusal::InsufficientCredits {
                requested: usage.quantity,
                available: plan.covered,
            });
        }
        let postings = self.postings(&plan)?;
        let cause = Cause {
            event_id: Some(usage.event_id.clone()),
            occurred_at: timestamp,
            ..Cause::call(actor, self.now)
        };
        let first = self.revision + 1;
        for posting in &postings {
            self.book(posting, &cause);
        }
        self.record_at(self.now);
        let allocations = plan.slices.iter().map(|slice| Allocation {
            grant_id: self.slots[slice.index].grant.id,
            amount: slice.take,
        });
        let event = Arc::new(UsageEvent {
            event_id: usage.event_id.clone(),
            metric: usage.metric.clone(),
            quantity: usage.quantity,
            timestamp,
            timestamp_given: usage.timestamp.is_some(),
            policy: usage.policy,
            metadata: usage.metadata.clone(),
            uncovered: plan.uncovered,
            reversed: crate::domain::amount::Amount::ZERO,
            allocations: allocations.collect(),
            entries: (!postings.is_empty()).then_some((first, self.revision)),
            recorded_at: self.now,
        });
        self.events.insert(event.event_id.clone(), Arc::clone(&event));
        self.changes.events.push(Arc::clone(&event));
        Ok(Outcome::Usage { event, duplicate: false })
    }

    /// Whether an event of this timestamp may still be recorded, both edges included.
    ///
    /// # Errors
    /// [`Refusal::TimestampOutOfWindow`].
    pub fn check_window(&self, timestamp: Timestamp) -> Result<(), Refusal> {
        let ahead = timestamp.signed_duration_since(self.now);
        let allowed = -self.windows.max_event_age..=limits::TIMESTAMP_AHEAD_MAX;
        if allowed.contains(&ahead) { Ok(()) } else { Err(Refusal::TimestampOutOfWindow) }
    }

    fn plan(&self, usage: &RecordUsage, at: Timestamp) -> Result<Plan, Refusal> {
        let draw = Draw {
            metric: &usage.metric,
            quantity: usage.quantity,
            at,
            now: self.now,
            windows: &self.windows,
        };
        Ok(draw.plan(self.grants())?)
    }

    fn postings(&self, plan: &Plan) -> Result<Vec<Posting>, Refusal> {
        let mut postings = Vec::with_capacity(plan.slices.len());
        for slice in &plan.slices {
            let mut figures = self.slots[slice.index].grant.figures;
            if slice.reclaim {
                let after = figures.reclaim(slice.take)?;
                let kind = EntryType::ExpirationReclaimed;
                postings.push(Posting::new(slice.index, kind, &figures, after)?);
                figures = after;
            }
            let after = figures.consume(slice.take)?;
            postings.push(Posting::new(slice.index, EntryType::Consumed, &figures, after)?);
        }
        Ok(postings)
    }
}
