//! Decisions about reversals.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::booking::{Cause, Draft, Posting};
use super::{Account, KeyRecord, Made};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::command::{Key, Outcome, ReverseApplication, ReverseUsage};
use crate::domain::entry::EntryType;
use crate::domain::grant::Scope;
use crate::domain::ids::{GrantId, RequestId};
use crate::domain::refusal::Refusal;
use crate::domain::reversal::{self, Reversal};
use crate::domain::usage::Allocation;

impl Account {
    /// The ladder: the key; the event; what is left of it.
    pub(super) fn reverse_usage(
        &mut self,
        reverse: &ReverseUsage,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let key = Key::Request(reverse.request_id.clone());
        let payload = reverse.payload();
        let known = self.replayed(&key, payload)?;
        let no_event = || Refusal::EventNotFound(reverse.event_id.clone());
        let event = Arc::clone(self.events.get(&reverse.event_id).ok_or_else(no_event)?);
        if let Some(Made::UsageReversal(_, reversal)) = known {
            return Ok(Outcome::UsageReversed { event, reversal, replayed: true });
        }
        let left = event.quantity.less(event.reversed)?;
        let quantity = reverse.quantity.unwrap_or(left);
        if left < quantity {
            return Err(Refusal::ReversalExceeds {
                requested: quantity.to_string(),
                left: left.to_string(),
            });
        }
        let uncovered = event.left_uncovered()?.min(quantity);
        let given = quantity.less(uncovered)?;
        let slices = reversal::give_back(event.taken.iter().copied(), event.given_back()?, given)?;
        let (postings, mut reversal) = self.give_back(&slices, EntryType::UsageReversed)?;
        reversal.uncovered = uncovered;
        let reversed = event.reversed.plus(quantity)?;
        let cause = Cause {
            event_id: Some(reverse.event_id.clone()),
            reason: Some(Arc::clone(&reverse.reason)),
            ..Cause::call(actor, self.now)
        };
        self.book_all(&postings, &cause)?;
        self.note_reversal(&event, quantity, uncovered);
        let mut after = (*event).clone();
        after.reversed = reversed;
        let event = Arc::new(after);
        self.events.insert(event.event_id.clone(), Arc::clone(&event));
        self.changes.reversed_events.insert(event.event_id.clone(), reversed);
        let made = Made::UsageReversal(event.event_id.clone(), reversal);
        self.use_key(&reverse.request_id, payload, made);
        Ok(Outcome::UsageReversed { event, reversal, replayed: false })
    }

    /// The ladder: the key; the application; the currency's digits; what is left of it.
    pub(super) fn reverse_application(
        &mut self,
        reverse: &ReverseApplication,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let key = Key::Request(reverse.request_id.clone());
        let payload = reverse.payload();
        let known = self.replayed(&key, payload)?;
        let none = || Refusal::ApplicationNotFound(reverse.invoice_id.clone());
        let application = Arc::clone(self.applications.get(&reverse.invoice_id).ok_or_else(none)?);
        if let Some(Made::ApplicationReversal(_, reversal)) = known {
            return Ok(Outcome::ApplicationReversed { application, reversal, replayed: true });
        }
        let left = application.applied()?;
        let amount = reverse.amount.unwrap_or(left);
        let money = Scope::Money(application.currency);
        if !amount.fits_decimals(money.decimals()) {
            let rule = "must have no more decimals than the invoice's currency";
            return Err(Refusal::InvalidField { field: "amount", rule });
        }
        if left < amount {
            return Err(Refusal::ReversalExceeds {
                requested: money.print(amount),
                left: money.print(left),
            });
        }
        let slices = reversal::give_back(application.allocations(), application.reversed, amount)?;
        let (postings, reversal) = self.give_back(&slices, EntryType::ApplicationReversed)?;
        let reversed = application.reversed.plus(amount)?;
        let cause = Cause {
            invoice_id: Some(reverse.invoice_id.clone()),
            reason: Some(Arc::clone(&reverse.reason)),
            ..Cause::call(actor, self.now)
        };
        self.book_all(&postings, &cause)?;
        let mut after = (*application).clone();
        after.reversed = reversed;
        let application = Arc::new(after);
        let id = &application.invoice_id;
        self.applications.insert(id.clone(), Arc::clone(&application));
        self.changes.reversed_applications.insert(id.clone(), reversed);
        let made = Made::ApplicationReversal(id.clone(), reversal);
        self.use_key(&reverse.request_id, payload, made);
        Ok(Outcome::ApplicationReversed { application, reversal, replayed: false })
    }

    /// What a key did before, if it was used.
    fn replayed(&self, key: &Key, payload: Uuid) -> Result<Option<Made>, Refusal> {
        let Some(prior) = self.keys.get(key) else { return Ok(None) };
        if prior.payload == payload {
            Ok(Some(prior.made.clone()))
        } else {
            Err(Refusal::RequestIdReused)
        }
    }

    fn use_key(&mut self, request_id: &RequestId, payload: Uuid, made: Made) {
        let key = Key::Request(request_id.clone());
        let customer = self.customer.key;
        let record = KeyRecord { key, customer, payload, effective_at: None, made };
        self.keys.insert(record.key.clone(), record.clone());
        self.changes.keys.push(record);
    }

    /// Works out giving slices back to their grants, in this order. What comes from a grant that has
    /// ended meanwhile is lost again at once.
    fn give_back(
        &self,
        slices: &[Allocation],
        kind: EntryType,
    ) -> Result<(Vec<Posting>, Reversal), AmountError> {
        let concerned: HashSet<GrantId> = slices.iter().map(|slice| slice.grant_id).collect();
        let places = self.places(|id| concerned.contains(&id));
        let mut draft = Draft::of(self);
        let mut reversal = Reversal::default();
        for slice in slices {
            let index = *places.get(&slice.grant_id).ok_or(AmountError::OutOfRange)?;
            draft.post(index, kind, |figures| figures.restore(slice.amount))?;
            let past = self.slots[index].grant.is_past(self.now);
            let figure = if draft.lose(index, past)? {
                &mut reversal.forfeited
            } else {
                &mut reversal.restored
            };
            *figure = Amount::plus(*figure, slice.amount)?;
        }
        Ok((draft.finish(), reversal))
    }
}
