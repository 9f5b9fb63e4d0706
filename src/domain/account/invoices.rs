//! Decisions about invoices.

use std::sync::Arc;

use super::Account;
use super::booking::{Cause, Draft};
use crate::domain::amount::Amount;
use crate::domain::application::CreditApplication;
use crate::domain::command::{ApplyCredits, Outcome};
use crate::domain::drawdown::Purpose;
use crate::domain::entry::EntryType;
use crate::domain::ids::GrantId;
use crate::domain::refusal::Refusal;

impl Account {
    /// The ladder: the key; the window of `applied_at`.
    pub(super) fn apply_credits(
        &mut self,
        apply: &ApplyCredits,
        actor: &Arc<str>,
    ) -> Result<Outcome, Refusal> {
        if let Some(application) = self.applications.get(&apply.invoice_id) {
            return if apply.made(application) {
                Ok(Outcome::Application { application: Arc::clone(application), replayed: true })
            } else {
                Err(Refusal::InvoiceAlreadyApplied)
            };
        }
        let applied_at = apply.applied_at.unwrap_or(self.now);
        self.check_window(applied_at)?;
        let plan = self.plan(Purpose::Invoice(apply.currency), apply.amount_due, applied_at)?;
        let mut draft = Draft::of(self);
        draft.take(&plan, EntryType::Applied)?;
        let postings = draft.finish();
        let cause = Cause {
            invoice_id: Some(apply.invoice_id.clone()),
            occurred_at: applied_at,
            ..Cause::call(actor, self.now)
        };
        let entries = self.book_all(&postings, &cause)?;
        let descriptions = plan.slices.iter().map(|slice| {
            let notes = &self.slots[slice.index].grant.notes;
            notes.description.clone()
        });
        let application = Arc::new(CreditApplication {
            invoice_id: apply.invoice_id.clone(),
            currency: apply.currency,
            amount_due: apply.amount_due,
            applied_at,
            applied_at_given: apply.applied_at.is_some(),
            recorded_at: self.now,
            reversed: Amount::ZERO,
            taken: self.taken(&plan).zip(descriptions).collect(),
            entries,
        });
        self.applications.insert(application.invoice_id.clone(), Arc::clone(&application));
        self.changes.applications.push(Arc::clone(&application));
        Ok(Outcome::Application { application, replayed: false })
    }

    /// Invoices in hand call a grant what it is called now.
    pub(super) fn rename(&mut self, grant_id: GrantId, description: &str) {
        for application in self.applications.values_mut() {
            let lines = &mut Arc::make_mut(application).taken;
            for (_, line) in lines.iter_mut().filter(|(taken, _)| taken.grant_id == grant_id) {
                description.clone_into(line);
            }
        }
    }
}
