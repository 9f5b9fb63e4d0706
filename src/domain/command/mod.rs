//! Commands: everything that changes a customer's credits. Parsed at the door, decided by
//! [`super::account::Account`].

mod grants;
mod holds;
mod invoices;
pub(super) mod payload;
mod usage;

use std::sync::Arc;

pub use self::grants::{CreateGrant, UpdateGrant, VoidGrant};
pub use self::holds::{CreateHold, ExtendHold, SettleHold};
pub use self::invoices::{ApplyCredits, ReverseApplication};
pub use self::usage::{RecordUsage, ReverseUsage};
use super::account::Brought;
use super::application::CreditApplication;
use super::grant::Grant;
use super::hold::Hold;
use super::ids::{CampaignId, Customer, HoldId, RequestId};
use super::import::ImportRow;
use super::reversal::Reversal;
use super::time::Timestamp;
use super::usage::UsageEvent;

/// One thing to do for one customer.
#[derive(Debug, Clone)]
pub struct Command {
    /// For whom.
    pub customer: Customer,
    /// By whom.
    pub actor: Arc<str>,
    /// What.
    pub action: Action,
}

impl Command {
    /// The row of an import that it is.
    #[must_use]
    pub fn import_row(&self) -> Option<&ImportRow> {
        match &self.action {
            Action::CreateGrant(create) => match &create.key {
                Key::Import(row) => Some(row),
                Key::Request(_) | Key::Campaign(_) => None,
            },
            _ => None,
        }
    }

    /// Whether it is one of many, made for customers whom nobody has asked for by themselves.
    #[must_use]
    pub fn is_in_bulk(&self) -> bool {
        match &self.action {
            Action::CreateGrant(create) => !matches!(create.key, Key::Request(_)),
            _ => false,
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Make a grant.
    CreateGrant(Box<CreateGrant>),
    /// Change a grant's rules or notes.
    UpdateGrant(Box<UpdateGrant>),
    /// Take a grant back.
    VoidGrant(Box<VoidGrant>),
    /// Record usage.
    RecordUsage(Box<RecordUsage>),
    /// Give usage back.
    ReverseUsage(Box<ReverseUsage>),
    /// Apply credits to an invoice.
    ApplyCredits(Box<ApplyCredits>),
    /// Give applied credits back.
    ReverseApplication(Box<ReverseApplication>),
    /// Set credits aside.
    CreateHold(Box<CreateHold>),
    /// Move a hold's deadline.
    ExtendHold(Box<ExtendHold>),
    /// Record the usage that a hold was made for.
    SettleHold(Box<SettleHold>),
    /// Give back what a hold has set aside.
    ReleaseHold(HoldId),
    /// Book what has fallen due, and nothing else.
    BookDue,
}

/// The idempotency key of a grant to be made, or of a reversal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The caller's own, unique for the customer.
    Request(RequestId),
    /// A row of an import, unique among all customers.
    Import(ImportRow),
    /// A campaign, of which each customer gets one grant.
    Campaign(CampaignId),
}

/// What came of a command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A grant, as it is now.
    Grant {
        /// The grant.
        grant: Box<Grant>,
        /// Whether it was there before: its key had made it, or it was voided already.
        replayed: bool,
        /// The instant at which it is like this.
        now: Timestamp,
    },
    /// A usage event, as it is now.
    Usage {
        /// The event.
        event: Arc<UsageEvent>,
        /// Whether it had been recorded before.
        duplicate: bool,
    },
    /// Usage was given back.
    UsageReversed {
        /// The event, as it is now.
        event: Arc<UsageEvent>,
        /// What the reversal did.
        reversal: Reversal,
        /// Whether it had been done before.
        replayed: bool,
    },
    /// Credits applied to an invoice, as they are now.
    Application {
        /// The application.
        application: Arc<CreditApplication>,
        /// Whether it had been made before.
        replayed: bool,
    },
    /// Applied credits were given back.
    ApplicationReversed {
        /// The application, as it is now.
        application: Arc<CreditApplication>,
        /// What the reversal did.
        reversal: Reversal,
        /// Whether it had been done before.
        replayed: bool,
    },
    /// A hold, as it is now.
    Hold {
        /// The hold.
        hold: Arc<Hold>,
        /// Whether it was there before.
        replayed: bool,
    },
    /// A hold was settled.
    Settled {
        /// The hold, as it is now.
        hold: Arc<Hold>,
        /// The event, as it is now.
        event: Arc<UsageEvent>,
    },
    /// What had fallen due is booked.
    Booked(Brought),
}
