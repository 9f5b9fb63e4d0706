//! A customer's balance at an instant, derived from the account.

use super::account::Account;
use super::amount::{Amount, AmountError};
use super::currency::Currency;
use super::grant::{Grant, Priority, Scope, Status};
use super::ids::{GrantId, Metric};
use super::time::Timestamp;

/// Which grants to count: those that could pay for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayingFor {
    /// All of them.
    Anything,
    /// Usage of this metric.
    Metric(Metric),
    /// Invoices in this currency.
    Currency(Currency),
}

impl PayingFor {
    /// Whether grants of this scope are to be counted.
    #[must_use]
    pub fn counts(&self, scope: &Scope) -> bool {
        match self {
            Self::Anything => true,
            Self::Metric(metric) => scope.covers(metric),
            Self::Currency(currency) => *scope == Scope::Money(*currency),
        }
    }
}

/// Sum over live grants of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The same currency, or the same set of metrics.
    pub scope: Scope,
    /// Spendable now.
    pub available: Amount,
    /// Set aside by holds.
    pub held: Amount,
    /// Not yet spent.
    pub remaining: Amount,
}

/// One grant's part in a balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantBalance {
    /// The grant.
    pub grant_id: GrantId,
    /// Its scope, to print its amounts.
    pub scope: Scope,
    /// Its status.
    pub status: Status,
    /// Its priority.
    pub priority: Priority,
    /// Its end.
    pub expires_at: Option<Timestamp>,
    /// Spendable now.
    pub available: Amount,
    /// Set aside by holds.
    pub held: Amount,
    /// Not yet spent.
    pub remaining: Amount,
}

/// What will expire, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingExpiration {
    /// The grant.
    pub grant_id: GrantId,
    /// When.
    pub expires_at: Timestamp,
    /// Of what scope.
    pub scope: Scope,
    /// How much, if nothing of it is spent before.
    pub amount: Amount,
}

/// A customer's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The customer's last sequence.
    pub revision: i64,
    /// The instant it speaks of.
    pub as_of: Timestamp,
    /// One per scope: currencies by code, then sets of metrics.
    pub totals: Vec<Total>,
    /// Live, pending, and any with held > 0, in the order of consumption.
    pub grants: Vec<GrantBalance>,
    /// Soonest first.
    pub upcoming_expirations: Vec<UpcomingExpiration>,
}

impl Balance {
    /// The balance of an account that was told the instant ([`Account::begin`]).
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] where a total leaves the exact range.
    pub fn of(account: &Account, paying_for: &PayingFor) -> Result<Self, AmountError> {
        let now = account.now();
        let mut balance = Self {
            revision: account.standing().revision,
            as_of: now,
            totals: Vec::new(),
            grants: Vec::new(),
            upcoming_expirations: Vec::new(),
        };
        let counted = || account.grants().filter(|grant| paying_for.counts(&grant.scope));
        for grant in counted() {
            balance.show(grant, now)?;
        }
        balance.totals = totals(counted(), now)?;
        balance.upcoming_expirations.sort_by_key(|upcoming| upcoming.expires_at);
        Ok(balance)
    }

    /// Where it stands among the balances of its customer: each change brings a later one.
    #[must_use]
    pub fn version(&self) -> (i64, Timestamp) {
        (self.revision, self.as_of)
    }

    /// Whether it shows anything else than `other` does, but for the instant.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> bool {
        let Self { revision, as_of: _, totals, grants, upcoming_expirations } = self;
        *revision != other.revision
            || *totals != other.totals
            || *grants != other.grants
            || *upcoming_expirations != other.upcoming_expirations
    }

    fn show(&mut self, grant: &Grant, now: Timestamp) -> Result<(), AmountError> {
        let status = grant.status(now);
        let standing = matches!(status, Status::Active | Status::Pending);
        let held = grant.figures.held;
        if !standing && held.is_zero() {
            return Ok(());
        }
        let available = available(grant, now)?;
        let remaining = grant.figures.remaining;
        self.grants.push(GrantBalance {
            grant_id: grant.id,
            scope: grant.scope.clone(),
            status,
            priority: grant.priority,
            expires_at: grant.expires_at,
            available,
            held,
            remaining,
        });
        if let Some(expires_at) = grant.expires_at
            && standing
            && grant.figures.free()?.is_positive()
        {
            self.upcoming_expirations.push(UpcomingExpiration {
                grant_id: grant.id,
                expires_at,
                scope: grant.scope.clone(),
                amount: grant.figures.free()?,
            });
        }
        Ok(())
    }
}

/// What can be spent of a grant.
fn available(grant: &Grant, at: Timestamp) -> Result<Amount, AmountError> {
    let live = grant.status(at) == Status::Active;
    if live { grant.figures.free() } else { Ok(Amount::ZERO) }
}

/// What counts in totals: what remains of a live grant, and what is held of any other.
fn counted(grant: &Grant, at: Timestamp) -> Amount {
    let live = grant.status(at) == Status::Active;
    if live { grant.figures.remaining } else { grant.figures.held }
}

/// The totals of these grants, as a balance at that instant shows them.
///
/// # Errors
/// [`AmountError::OutOfRange`] where a total leaves the exact range.
pub fn totals<'a>(
    grants: impl Iterator<Item = &'a Grant>,
    at: Timestamp,
) -> Result<Vec<Total>, AmountError> {
    let mut totals: Vec<Total> = Vec::new();
    for grant in grants {
        let (counted, held) = (counted(grant, at), grant.figures.held);
        if counted.is_zero() {
            continue;
        }
        let index = totals.iter().position(|total| total.scope == grant.scope);
        let index = index.unwrap_or_else(|| {
            let (available, held, remaining) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
            totals.push(Total { scope: grant.scope.clone(), available, held, remaining });
            totals.len() - 1
        });
        let total = &mut totals[index];
        total.available = total.available.plus(available(grant, at)?)?;
        total.held = total.held.plus(held)?;
        total.remaining = total.remaining.plus(counted)?;
    }
    totals.sort_by(|a, b| print_order(&a.scope).cmp(&print_order(&b.scope)));
    Ok(totals)
}

/// Currencies by code, then sets of metrics.
fn print_order(scope: &Scope) -> (bool, &str, &[Metric]) {
    match scope {
        Scope::Money(currency) => (false, currency.code(), &[]),
        Scope::Units(metrics) => (true, "", metrics),
    }
}
