//! What the domain speaks of, as the wire says it.

mod campaign;

use std::sync::Arc;

use prost_types::Timestamp as WireTimestamp;

pub(super) use self::campaign::{campaign, foreseen_campaign};
use crate::domain::amount::{Amount, AmountError};
use crate::domain::application::{CreditApplication, LINE_LABEL};
use crate::domain::balance::{Balance, GrantBalance, Total, UpcomingExpiration};
use crate::domain::currency::Currency;
use crate::domain::entry::{EntryType, RuleChange};
use crate::domain::grant::{Category, Grant, Scope, Status};
use crate::domain::hold::{Ending, Hold};
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;
use crate::domain::usage::{Allocation, UsageEvent};
use crate::pb;
use crate::store::ListedEntry;

/// An instant.
pub(super) fn time(at: Timestamp) -> WireTimestamp {
    // Fewer than 10^9, always: chrono counts a leap second's as more, which instants from the
    // wire and from PostgreSQL never are.
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(999_999_999);
    WireTimestamp { seconds: at.timestamp(), nanos }
}

struct WireScope {
    kind: i32,
    currency: String,
    metrics: Vec<String>,
}

fn scope(scope: &Scope) -> WireScope {
    match scope {
        Scope::Units(metrics) => WireScope {
            kind: pb::GrantType::Units.into(),
            currency: String::new(),
            metrics: metrics.iter().map(ToString::to_string).collect(),
        },
        Scope::Money(currency) => WireScope {
            kind: pb::GrantType::Monetary.into(),
            currency: currency.code().to_owned(),
            metrics: Vec::new(),
        },
    }
}

fn status(status: Status) -> pb::GrantStatus {
    match status {
        Status::Pending => pb::GrantStatus::Pending,
        Status::Active => pb::GrantStatus::Active,
        Status::Exhausted => pb::GrantStatus::Exhausted,
        Status::Expired => pb::GrantStatus::Expired,
        Status::Voided => pb::GrantStatus::Voided,
    }
}

fn category(category: Option<Category>) -> pb::GrantCategory {
    match category {
        None => pb::GrantCategory::Unspecified,
        Some(Category::Promotional) => pb::GrantCategory::Promotional,
        Some(Category::Purchased) => pb::GrantCategory::Purchased,
        Some(Category::Loyalty) => pb::GrantCategory::Loyalty,
        Some(Category::Service) => pb::GrantCategory::Service,
    }
}

/// A grant, with its expiry booked, at `now`.
pub(super) fn grant(customer: &Customer, grant: Grant, now: Timestamp) -> pb::Grant {
    let of = scope(&grant.scope);
    let print = |amount| grant.scope.print(amount);
    let standing = status(grant.status(now));
    let notes = Arc::unwrap_or_clone(grant.notes);
    pb::Grant {
        id: grant.id.to_string(),
        customer_id: customer.external_id.to_string(),
        r#type: of.kind,
        amount: print(grant.amount),
        currency: of.currency,
        metrics: of.metrics,
        priority: grant.priority.get().into(),
        category: category(grant.category).into(),
        status: standing.into(),
        effective_at: Some(time(grant.effective_at)),
        expires_at: grant.expires_at.map(time),
        description: notes.description,
        metadata: notes.metadata,
        remaining: print(grant.figures.remaining),
        held: print(grant.figures.held),
        consumed: print(grant.figures.consumed),
        expired: print(grant.figures.expired),
        voided: print(grant.figures.voided),
        created_at: Some(time(grant.created_at)),
        updated_at: Some(time(grant.updated_at)),
        voided_at: grant.voided.as_ref().map(|voided| time(voided.at)),
        void_reason: grant.voided.map(|voided| voided.reason.to_string()).unwrap_or_default(),
        created_by: grant.created_by.to_string(),
        import_row: grant.import.as_ref().map_or(0, |import| import.row),
        import_id: grant.import.map(|import| import.import_id.to_string()).unwrap_or_default(),
        campaign_id: grant.campaign.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// A balance.
pub(super) fn balance(customer: &Customer, balance: &Balance) -> pb::Balance {
    pb::Balance {
        customer_id: customer.external_id.to_string(),
        revision: balance.revision,
        as_of: Some(time(balance.as_of)),
        totals: balance.totals.iter().map(total).collect(),
        grants: balance.grants.iter().map(grant_balance).collect(),
        upcoming_expirations: balance.upcoming_expirations.iter().map(upcoming).collect(),
    }
}

fn total(total: &Total) -> pb::BalanceTotal {
    let of = scope(&total.scope);
    pb::BalanceTotal {
        r#type: of.kind,
        currency: of.currency,
        metrics: of.metrics,
        available: total.scope.print(total.available),
        held: total.scope.print(total.held),
        remaining: total.scope.print(total.remaining),
    }
}

fn grant_balance(grant: &GrantBalance) -> pb::GrantBalance {
    pb::GrantBalance {
        grant_id: grant.grant_id.to_string(),
        status: status(grant.status).into(),
        priority: grant.priority.get().into(),
        expires_at: grant.expires_at.map(time),
        available: grant.scope.print(grant.available),
        held: grant.scope.print(grant.held),
        remaining: grant.scope.print(grant.remaining),
    }
}

fn upcoming(upcoming: &UpcomingExpiration) -> pb::UpcomingExpiration {
    let of = scope(&upcoming.scope);
    pb::UpcomingExpiration {
        grant_id: upcoming.grant_id.to_string(),
        expires_at: Some(time(upcoming.expires_at)),
        r#type: of.kind,
        currency: of.currency,
        metrics: of.metrics,
        amount: upcoming.scope.print(upcoming.amount),
    }
}

/// What was voided of grants that count the same as this scope.
pub(super) fn voided(of: &Scope, amount: Amount) -> pb::VoidedAmount {
    let WireScope { kind, currency, .. } = scope(of);
    pb::VoidedAmount { r#type: kind, currency, amount: of.print(amount) }
}

/// A usage event, with its net figures.
pub(super) fn usage_event(
    customer: &Customer,
    event: &UsageEvent,
) -> Result<pb::UsageEvent, AmountError> {
    Ok(pb::UsageEvent {
        allocations: event.allocations()?.iter().map(allocation).collect(),
        metadata: event.metadata.clone(),
        ..usage_figures(customer, event)?
    })
}

/// The same without its allocations and metadata.
pub(super) fn usage_figures(
    customer: &Customer,
    event: &UsageEvent,
) -> Result<pb::UsageEvent, AmountError> {
    Ok(pb::UsageEvent {
        customer_id: customer.external_id.to_string(),
        event_id: event.event_id.to_string(),
        metric: event.metric.to_string(),
        quantity: event.quantity.to_string(),
        timestamp: Some(time(event.timestamp)),
        covered: event.covered()?.to_string(),
        uncovered: event.left_uncovered()?.to_string(),
        reversed: event.reversed.to_string(),
        recorded_at: Some(time(event.recorded_at)),
        hold_id: event.hold_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        ..pb::UsageEvent::default()
    })
}

/// What one grant paid.
pub(super) fn allocation(allocation: &Allocation) -> pb::Allocation {
    pb::Allocation {
        grant_id: allocation.grant_id.to_string(),
        amount: allocation.amount.to_string(),
    }
}

/// A hold, with its figures.
pub(super) fn hold(customer: &Customer, hold: &Hold) -> Result<pb::Hold, AmountError> {
    let event_id = match &hold.end {
        Some((_, Ending::Settled { event_id, .. })) => event_id.to_string(),
        _ => String::new(),
    };
    Ok(pb::Hold {
        customer_id: customer.external_id.to_string(),
        hold_id: hold.hold_id.to_string(),
        metric: hold.metric.to_string(),
        quantity: hold.quantity.to_string(),
        held: hold.held()?.to_string(),
        settled: hold.settled().to_string(),
        released: hold.released()?.to_string(),
        status: hold_status(hold).into(),
        expires_at: Some(time(hold.expires_at)),
        allocations: hold.slices.iter().map(allocation).collect(),
        created_at: Some(time(hold.created_at)),
        ended_at: hold.end.as_ref().map(|(at, _)| time(*at)),
        event_id,
    })
}

fn hold_status(hold: &Hold) -> pb::HoldStatus {
    match &hold.end {
        None => pb::HoldStatus::Open,
        Some((_, Ending::Settled { .. })) => pb::HoldStatus::Settled,
        Some((_, Ending::Released)) => pb::HoldStatus::Released,
        Some((_, Ending::Expired)) => pb::HoldStatus::Expired,
    }
}

/// A credit application, with its net figures.
pub(super) fn application(
    customer: &Customer,
    application: &CreditApplication,
) -> Result<pb::CreditApplication, AmountError> {
    let money = Scope::Money(application.currency);
    let line = |(line, description): (Allocation, &str)| pb::CreditApplicationLine {
        grant_id: line.grant_id.to_string(),
        label: LINE_LABEL.to_owned(),
        description: description.to_owned(),
        amount: money.print(line.amount),
    };
    Ok(pb::CreditApplication {
        customer_id: customer.external_id.to_string(),
        invoice_id: application.invoice_id.to_string(),
        currency: application.currency.code().to_owned(),
        amount_due: money.print(application.amount_due),
        amount_applied: money.print(application.applied()?),
        amount_remaining: money.print(application.remaining()?),
        lines: application.lines()?.into_iter().map(line).collect(),
        reversed: money.print(application.reversed),
        applied_at: Some(time(application.applied_at)),
        recorded_at: Some(time(application.recorded_at)),
    })
}

/// A type of ledger entry.
pub(super) fn entry_type(kind: EntryType) -> pb::LedgerEntryType {
    match kind {
        EntryType::Granted => pb::LedgerEntryType::Granted,
        EntryType::Updated => pb::LedgerEntryType::Updated,
        EntryType::Consumed => pb::LedgerEntryType::Consumed,
        EntryType::Applied => pb::LedgerEntryType::Applied,
        EntryType::Held => pb::LedgerEntryType::Held,
        EntryType::HoldReleased => pb::LedgerEntryType::HoldReleased,
        EntryType::Expired => pb::LedgerEntryType::Expired,
        EntryType::Voided => pb::LedgerEntryType::Voided,
        EntryType::UsageReversed => pb::LedgerEntryType::UsageReversed,
        EntryType::ApplicationReversed => pb::LedgerEntryType::ApplicationReversed,
        EntryType::ExpirationReclaimed => pb::LedgerEntryType::ExpirationReclaimed,
    }
}

/// A ledger entry; its amounts print as its grant's do.
pub(super) fn entry(customer: &Customer, listed: ListedEntry) -> pb::LedgerEntry {
    let ListedEntry { entry, currency, import, campaign } = listed;
    let decimals = currency.map_or(0, Currency::digits);
    let print = |amount: Amount| amount.with_decimals(decimals);
    pb::LedgerEntry {
        customer_id: customer.external_id.to_string(),
        sequence: entry.sequence,
        grant_id: entry.grant_id.to_string(),
        r#type: entry_type(entry.kind).into(),
        amount: print(entry.amount),
        balance_after: print(entry.balance_after),
        held_amount: print(entry.held_amount),
        held_after: print(entry.held_after),
        event_id: entry.event_id.map(|id| id.to_string()).unwrap_or_default(),
        invoice_id: entry.invoice_id.map(|id| id.to_string()).unwrap_or_default(),
        hold_id: entry.hold_id.map(|id| id.to_string()).unwrap_or_default(),
        reason: entry.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        actor: entry.actor.to_string(),
        occurred_at: Some(time(entry.occurred_at)),
        recorded_at: Some(time(entry.recorded_at)),
        change: entry.change.map(change),
        currency: currency.map(|currency| currency.code().to_owned()).unwrap_or_default(),
        import_row: import.as_ref().map_or(0, |import| import.row),
        import_id: import.map(|import| import.import_id.to_string()).unwrap_or_default(),
        campaign_id: campaign.map(|id| id.to_string()).unwrap_or_default(),
    }
}

fn change(change: RuleChange) -> pb::RuleChange {
    let number = |priority: crate::domain::grant::Priority| i32::from(priority.get());
    pb::RuleChange {
        old_priority: change.priority.map(|(old, _)| number(old)),
        new_priority: change.priority.map(|(_, new)| number(new)),
        expires_at_changed: change.expires_at.is_some(),
        old_expires_at: change.expires_at.and_then(|(old, _)| old).map(time),
        new_expires_at: change.expires_at.and_then(|(_, new)| new).map(time),
    }
}
