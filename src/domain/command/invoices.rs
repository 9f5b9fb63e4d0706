//! Commands about invoices.

use std::sync::Arc;

use uuid::Uuid;

use super::payload::reversal_payload;
use crate::domain::amount::Amount;
use crate::domain::application::CreditApplication;
use crate::domain::currency::Currency;
use crate::domain::ids::{InvoiceId, RequestId};
use crate::domain::time::Timestamp;

/// Credits to apply to an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyCredits {
    /// The idempotency key.
    pub invoice_id: InvoiceId,
    /// The invoice's currency.
    pub currency: Currency,
    /// What is due.
    pub amount_due: Amount,
    /// When the credits count as applied; the instant of recording where none is given.
    pub applied_at: Option<Timestamp>,
}

impl ApplyCredits {
    /// Whether `application` is what this command made: the same payload, by value.
    #[must_use]
    pub fn made(&self, application: &CreditApplication) -> bool {
        let same_time = match self.applied_at {
            Some(at) if application.applied_at_given => at == application.applied_at,
            _ => true,
        };
        same_time
            && self.currency == application.currency
            && self.amount_due == application.amount_due
    }
}

/// Applied credits to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseApplication {
    /// The idempotency key.
    pub request_id: RequestId,
    /// Of which invoice.
    pub invoice_id: InvoiceId,
    /// How much; all that is left where none is given.
    pub amount: Option<Amount>,
    /// Why.
    pub reason: Arc<str>,
}

impl ReverseApplication {
    /// A fingerprint of the payload as sent, by value.
    #[must_use]
    pub fn payload(&self) -> Uuid {
        reversal_payload("reverse_application", self.invoice_id.as_str(), self.amount, &self.reason)
    }
}
