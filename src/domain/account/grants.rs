//! Decisions about grants: make, update, void.

use std::sync::Arc;

use uuid::Uuid;

use super::booking::Cause;
use super::{Account, Dirt, KeyRecord, Made, Slot};
use crate::domain::command::{CreateGrant, Key, Outcome, UpdateGrant, VoidGrant};
use crate::domain::entry::{EntryType, RuleChange};
use crate::domain::figures::Figures;
use crate::domain::grant::{Grant, Notes, Priority, Status, Voided};
use crate::domain::notification::EventType;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::limits;

impl Account {
    /// The ladder: the key; the expiry, which depends on the clock; the limit.
    pub(super) fn create_grant(
        &mut self,
        create: &CreateGrant,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let payload = create.payload();
        if let Some(replayed) = self.replayed_grant(create, payload) {
            return replayed;
        }
        let effective_at = create.effective_at.unwrap_or(self.now);
        if let Some(end) = create.expires_at {
            self.check_expiry(end, effective_at)?;
        }
        let open = self.grants().filter(|grant| grant.figures.remaining.is_positive()).count();
        if open + self.rehearsed >= limits::OPEN_GRANTS_MAX {
            return Err(Refusal::TooManyOpenGrants { limit: limits::OPEN_GRANTS_MAX });
        }
        let grant = Grant {
            id: create.grant_id,
            sequence: self.revision + 1,
            scope: create.scope.clone(),
            amount: create.amount,
            priority: create.priority,
            category: create.category,
            effective_at,
            expires_at: create.expires_at,
            notes: Arc::new(create.notes.clone()),
            figures: Figures::default(),
            created_at: self.now,
            updated_at: self.now,
            created_by: Arc::clone(actor),
            import: match &create.key {
                Key::Import(row) => Some(row.clone()),
                Key::Request(_) | Key::Campaign(_) => None,
            },
            campaign: match &create.key {
                Key::Campaign(campaign_id) => Some(campaign_id.clone()),
                Key::Request(_) | Key::Import(_) => None,
            },
            voided: None,
            warned: Vec::new(),
        };
        let live = grant.is_live(self.now);
        let index = self.insert(Slot { dirt: Dirt::New, live, ..Slot::stored(grant, true) });
        let granted = |_| Ok(Figures::of_new(create.amount));
        self.book_one(index, EntryType::Granted, granted, &Cause::call(actor, self.now))?;
        let record = KeyRecord {
            key: create.key.clone(),
            customer: self.customer.key,
            payload,
            effective_at: create.effective_at,
            made: Made::Grant(create.grant_id),
        };
        self.keys.insert(record.key.clone(), record.clone());
        self.changes.keys.push(record);
        self.tell_of_grant(EventType::GrantCreated, index, self.now)?;
        Ok(self.outcome(index, false))
    }

    /// What a key that was used before is answered; None where it was not.
    fn replayed_grant(
        &self,
        create: &CreateGrant,
        payload: Uuid,
    ) -> Option<Result<Outcome, Refusal>> {
        let prior = self.keys.get(&create.key)?;
        let same_start = match (create.effective_at, prior.effective_at) {
            (Some(sent), Some(before)) => sent == before,
            _ => true,
        };
        let same = prior.customer == self.customer.key && prior.payload == payload;
        Some(match prior.made {
            Made::Grant(grant_id) if same && same_start => self
                .position(grant_id)
                .map(|index| self.outcome(index, true))
                .ok_or(Refusal::GrantNotFound),
            _ => Err(match create.key {
                Key::Request(_) => Refusal::RequestIdReused,
                Key::Import(_) => Refusal::ImportRowReused,
                Key::Campaign(_) => Refusal::CampaignIdReused,
            }),
        })
    }

    /// The ladder: the grant; what changes nothing; the grant's end; the new expiry.
    pub(super) fn update_grant(
        &mut self,
        update: &UpdateGrant,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let mut index = self.position(update.grant_id).ok_or(Refusal::GrantNotFound)?;
        let grant = &self.slots[index].grant;
        let notes = Notes {
            description: update.description.as_ref().unwrap_or(&grant.notes.description).clone(),
            metadata: update.metadata.as_ref().unwrap_or(&grant.notes.metadata).clone(),
        };
        let change = RuleChange {
            priority: update
                .priority
                .map(|new| new.unwrap_or(Priority::of_category(grant.category)))
                .filter(|new| *new != grant.priority)
                .map(|new| (grant.priority, new)),
            expires_at: update
                .expires_at
                .filter(|new| *new != grant.expires_at)
                .map(|new| (grant.expires_at, new)),
        };
        let rules_change = change != RuleChange::default();
        if !rules_change && notes == *grant.notes {
            return Ok(self.outcome(index, false));
        }
        if rules_change && matches!(grant.status(self.now), Status::Voided | Status::Expired) {
            return Err(Refusal::GrantNotActive);
        }
        if let Some((_, Some(end))) = change.expires_at {
            self.check_expiry(end, grant.effective_at)?;
        }
        self.rename(update.grant_id, &notes.description);
        let slot = &mut self.slots[index];
        slot.grant.notes = Arc::new(notes);
        slot.grant.updated_at = self.now;
        slot.dirt = slot.dirt.max(Dirt::Terms);
        if rules_change {
            slot.grant.priority = change.priority.map_or(slot.grant.priority, |(_, new)| new);
            slot.grant.expires_at = change.expires_at.map_or(slot.grant.expires_at, |(_, new)| new);
            let cause = Cause { change: Some(change), ..Cause::call(actor, self.now) };
            self.book_one(index, EntryType::Updated, Ok, &cause)?;
            self.sort();
            index = self.position(update.grant_id).ok_or(Refusal::GrantNotFound)?;
        }
        self.record_at(self.now);
        Ok(self.outcome(index, false))
    }

    /// The ladder: the grant; voided before, which is no error; the grant's end.
    pub(super) fn void_grant(
        &mut self,
        void: &VoidGrant,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        let index = self.position(void.grant_id).ok_or(Refusal::GrantNotFound)?;
        let grant = &self.slots[index].grant;
        match grant.status(self.now) {
            Status::Voided => return Ok(self.outcome(index, true)),
            Status::Exhausted | Status::Expired => return Err(Refusal::GrantNotActive),
            Status::Pending | Status::Active => {}
        }
        let cause =
            Cause { reason: Some(Arc::clone(&void.reason)), ..Cause::call(actor, self.now) };
        self.book_one(index, EntryType::Voided, Figures::void, &cause)?;
        let slot = &mut self.slots[index];
        slot.grant.voided = Some(Voided { at: self.now, reason: Arc::clone(&void.reason) });
        slot.dirt = slot.dirt.max(Dirt::Terms);
        self.tell_of_grant(EventType::GrantVoided, index, self.now)?;
        Ok(self.outcome(index, false))
    }

    fn check_expiry(&self, end: Timestamp, effective_at: Timestamp) -> Result<(), Refusal> {
        let rule = if end <= self.now {
            "must be after now"
        } else if end <= effective_at {
            "must be after effective_at"
        } else {
            return Ok(());
        };
        Err(Refusal::InvalidField { field: "expires_at", rule })
    }

    fn outcome(&self, index: usize, replayed: bool) -> Outcome {
        let grant = Box::new(self.slots[index].grant.clone());
        Outcome::Grant { grant, replayed, now: self.now }
    }
}
