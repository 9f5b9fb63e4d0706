//! Requests into commands: parsed at the door, so that behind it nothing has to be doubted.

use std::collections::HashSet;
use std::sync::Arc;

use tonic::Status;

use super::fields::Fields;
use crate::domain::amount::{Amount, AmountError, SCALE};
use crate::domain::command::{
    Action, ApplyCredits, Command, CreateGrant, Key, RecordUsage, ReverseApplication, ReverseUsage,
    UpdateGrant, VoidGrant,
};
use crate::domain::currency::Currency;
use crate::domain::grant::{Category, Notes, Priority, Scope};
use crate::domain::ids::{CampaignId, Customer, EventId, GrantId, InvoiceId, Metric, RequestId};
use crate::domain::import::ImportRow;
use crate::domain::usage::Uncovered;
use crate::{limits, pb};

const CURRENCY_RULE: &str = "must be an upper-case ISO 4217 code with minor units, such as \"USD\"";
const PRIORITY_RULE: &str = "must be from 0 to 100";

/// A currency's code.
pub(super) fn currency(code: &str) -> Result<Currency, &'static str> {
    Currency::from_code(code).ok_or(CURRENCY_RULE)
}

/// Customers to be named in `customer_ids`: 1 to so many, each once.
pub(super) fn customers(fields: &mut Fields, ids: &[String], most: usize) -> Vec<Customer> {
    if ids.is_empty() || ids.len() > most {
        fields.fault("customer_ids", format_args!("must be 1 to {most}"));
        return Vec::new();
    }
    let mut customers = Vec::with_capacity(ids.len());
    let mut named = HashSet::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let field = format!("customer_ids[{index}]");
        let Some(customer) = fields.take(&field, Customer::parse(id)) else { continue };
        if !named.insert(customer.key) {
            fields.fault(field, "must be named only once");
        }
        customers.push(customer);
    }
    customers
}

/// A request to make a grant.
pub(super) fn create_grant(
    request: pb::CreateGrantRequest,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    let request_id = fields.take("request_id", RequestId::parse(&request.request_id));
    new_grant(fields, request, request_id.map(Key::Request), actor)
}

/// A row of an import.
pub(super) fn import_row(
    request: pb::CreateGrantRequest,
    row: ImportRow,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    if !request.request_id.is_empty() {
        fields.fault("request_id", "must be empty in an import: the row is the key");
    }
    if request.validate_only {
        fields.fault("validate_only", "must not be set in an import: the header has dry_run");
    }
    new_grant(fields, request, Some(Key::Import(row)), actor)
}

/// The template of a campaign; None where it has faults.
pub(super) fn template(
    fields: &mut Fields,
    request: pb::CreateGrantRequest,
    campaign_id: Option<CampaignId>,
) -> Option<CreateGrant> {
    let mut inner = Fields::default();
    for (field, text) in
        [("request_id", &request.request_id), ("customer_id", &request.customer_id)]
    {
        if !text.is_empty() {
            inner.fault(field, "must be empty in a campaign: it differs from grant to grant");
        }
    }
    if request.validate_only {
        inner.fault("validate_only", "must not be set in a campaign: the request has its own");
    }
    let template = terms(&mut inner, request, campaign_id.map(Key::Campaign));
    fields.within("template", inner);
    template
}

/// A grant for a customer; `key` is None where its fault is noted already.
fn new_grant(
    mut fields: Fields,
    request: pb::CreateGrantRequest,
    key: Option<Key>,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
    let create = terms(&mut fields, request, key);
    let (Some(customer), Some(create)) = (customer, create) else { return Err(fields.refuse()) };
    fields.check()?;
    let action = Action::CreateGrant(Box::new(create));
    Ok(Command { customer, actor: Arc::clone(actor), action })
}

/// A grant's terms; None where one of them, or the key, is missing.
fn terms(
    fields: &mut Fields,
    request: pb::CreateGrantRequest,
    key: Option<Key>,
) -> Option<CreateGrant> {
    let scope = scope(fields, &request);
    // Without a scope the decimals are not known; any amount of units is then looked at.
    let decimals = scope.as_ref().map_or(SCALE, Scope::decimals);
    let amount = fields.take("amount", Amount::parse_positive(&request.amount, decimals));
    let category = category(fields, request.category);
    let priority = match request.priority {
        None => category.map(Priority::of_category),
        Some(number) => fields.take("priority", Priority::new(number).ok_or(PRIORITY_RULE)),
    };
    let effective_at = fields.time("effective_at", request.effective_at.as_ref());
    let expires_at = fields.time("expires_at", request.expires_at.as_ref());
    if let (Some(start), Some(end)) = (effective_at, expires_at)
        && end <= start
    {
        fields.fault("expires_at", "must be after effective_at");
    }
    fields.text("description", &request.description, limits::DESCRIPTION_CHARS_MAX);
    fields.metadata(&request.metadata);
    Some(CreateGrant {
        key: key?,
        grant_id: GrantId::fresh(),
        scope: scope?,
        amount: amount?,
        priority: priority?,
        category: category?,
        effective_at,
        expires_at,
        notes: Notes { description: request.description, metadata: request.metadata },
    })
}

/// What the grant is to pay for: type, currency and metrics, which must agree.
fn scope(fields: &mut Fields, request: &pb::CreateGrantRequest) -> Option<Scope> {
    match pb::GrantType::try_from(request.r#type) {
        Ok(pb::GrantType::Monetary) => {
            if !request.metrics.is_empty() {
                fields.fault("metrics", "must be empty for a monetary grant");
            }
            if request.currency.is_empty() {
                fields.fault("currency", "is required for a monetary grant");
                return None;
            }
            fields.take("currency", currency(&request.currency)).map(Scope::Money)
        }
        Ok(pb::GrantType::Units) => {
            if !request.currency.is_empty() {
                fields.fault("currency", "must be empty for a unit grant");
            }
            metrics(fields, &request.metrics).map(Scope::units)
        }
        untyped => {
            let missing = untyped.is_ok();
            fields.fault("type", if missing { "is required" } else { "must be a known type" });
            // What is bad whatever the type.
            fields.take_optional("currency", &request.currency, currency);
            metrics(fields, &request.metrics);
            None
        }
    }
}

fn metrics(fields: &mut Fields, names: &[String]) -> Option<Vec<Metric>> {
    if names.len() > limits::METRICS_MAX {
        let most = limits::METRICS_MAX;
        fields.fault("metrics", format_args!("must be at most {most}"));
        return None;
    }
    let mut read = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        read.extend(fields.take(&format!("metrics[{index}]"), Metric::parse(name)));
    }
    (read.len() == names.len()).then_some(read)
}

/// None where it does not read; Some(None) where none is given.
fn category(fields: &mut Fields, number: i32) -> Option<Option<Category>> {
    match pb::GrantCategory::try_from(number) {
        Ok(pb::GrantCategory::Unspecified) => Some(None),
        Ok(pb::GrantCategory::Promotional) => Some(Some(Category::Promotional)),
        Ok(pb::GrantCategory::Purchased) => Some(Some(Category::Purchased)),
        Ok(pb::GrantCategory::Loyalty) => Some(Some(Category::Loyalty)),
        Ok(pb::GrantCategory::Service) => Some(Some(Category::Service)),
        Err(_) => {
            fields.fault("category", "must be a known category");
            None
        }
    }
}

/// A request to change a grant.
pub(super) fn update_grant(request: pb::UpdateGrantRequest) -> Result<UpdateGrant, Status> {
    let mut fields = Fields::default();
    let grant_id = fields.take("grant_id", GrantId::parse(&request.grant_id));
    let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        fields.fault("update_mask", "is required");
    }
    let mut update = UpdateGrant {
        grant_id: grant_id.unwrap_or(GrantId(uuid::Uuid::nil())),
        description: None,
        metadata: None,
        priority: None,
        expires_at: None,
    };
    for path in &paths {
        match path.as_str() {
            "description" => {
                fields.text("description", &request.description, limits::DESCRIPTION_CHARS_MAX);
                update.description = Some(request.description.clone());
            }
            "metadata" => {
                fields.metadata(&request.metadata);
                update.metadata = Some(request.metadata.clone());
            }
            "priority" => {
                let read = request.priority.map(|number| {
                    fields.take("priority", Priority::new(number).ok_or(PRIORITY_RULE))
                });
                update.priority = Some(read.flatten());
            }
            "expires_at" => {
                update.expires_at = Some(fields.time("expires_at", request.expires_at.as_ref()));
            }
            other => {
                fields.unknown_path(other, "description, metadata, priority or expires_at");
            }
        }
    }
    fields.check()?;
    Ok(update)
}

/// A request to take a grant back.
pub(super) fn void_grant(request: &pb::VoidGrantRequest) -> Result<VoidGrant, Status> {
    let mut fields = Fields::default();
    let grant_id = fields.take("grant_id", GrantId::parse(&request.grant_id));
    fields.reason(&request.reason);
    let Some(grant_id) = grant_id else { return Err(fields.refuse()) };
    fields.check()?;
    Ok(VoidGrant { grant_id, reason: request.reason.as_str().into() })
}

/// A usage event to record.
pub(super) fn record_usage(
    request: pb::RecordUsageRequest,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
    let event_id = fields.take("event_id", EventId::parse(&request.event_id));
    let metric = fields.take("metric", Metric::parse(&request.metric));
    let quantity = fields.take("quantity", Amount::parse(&request.quantity, SCALE));
    let timestamp = fields.time("timestamp", request.timestamp.as_ref());
    let policy = match pb::InsufficientCredits::try_from(request.insufficient_credits) {
        Ok(pb::InsufficientCredits::Unspecified | pb::InsufficientCredits::AllowOverage) => {
            Uncovered::AllowOverage
        }
        Ok(pb::InsufficientCredits::Reject) => Uncovered::Reject,
        Err(_) => {
            fields.fault("insufficient_credits", "must be a known policy");
            Uncovered::AllowOverage
        }
    };
    fields.metadata(&request.metadata);
    let (Some(customer), Some(event_id), Some(metric), Some(quantity)) =
        (customer, event_id, metric, quantity)
    else {
        return Err(fields.refuse());
    };
    fields.check()?;
    let metadata = request.metadata;
    let usage = RecordUsage { event_id, metric, quantity, timestamp, policy, metadata };
    let action = Action::RecordUsage(Box::new(usage));
    Ok(Command { customer, actor: Arc::clone(actor), action })
}

/// Usage to give back.
pub(super) fn reverse_usage(
    request: &pb::ReverseUsageRequest,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    let request_id = fields.take("request_id", RequestId::parse(&request.request_id));
    let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
    let event_id = fields.take("event_id", EventId::parse(&request.event_id));
    let quantity = fields.take_optional("quantity", &request.quantity, positive);
    fields.reason(&request.reason);
    let (Some(request_id), Some(customer), Some(event_id)) = (request_id, customer, event_id)
    else {
        return Err(fields.refuse());
    };
    fields.check()?;
    let reason = request.reason.as_str().into();
    let reverse = ReverseUsage { request_id, event_id, quantity, reason };
    let action = Action::ReverseUsage(Box::new(reverse));
    Ok(Command { customer, actor: Arc::clone(actor), action })
}

/// An amount above nothing, of any scope.
fn positive(text: &str) -> Result<Amount, AmountError> {
    Amount::parse_positive(text, SCALE)
}

/// Credits to apply to an invoice.
pub(super) fn apply_credits(
    request: &pb::ApplyCreditsRequest,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
    let invoice_id = fields.take("invoice_id", InvoiceId::parse(&request.invoice_id));
    if request.currency.is_empty() {
        fields.fault("currency", "is required");
    }
    let currency = fields.take_optional("currency", &request.currency, currency);
    // Without a currency the digits are not known; any amount is then looked at.
    let digits = currency.map_or(SCALE, Currency::digits);
    let amount_due = fields.take("amount_due", Amount::parse(&request.amount_due, digits));
    let applied_at = fields.time("applied_at", request.applied_at.as_ref());
    let (Some(customer), Some(invoice_id), Some(currency), Some(amount_due)) =
        (customer, invoice_id, currency, amount_due)
    else {
        return Err(fields.refuse());
    };
    fields.check()?;
    let apply = ApplyCredits { invoice_id, currency, amount_due, applied_at };
    let action = Action::ApplyCredits(Box::new(apply));
    Ok(Command { customer, actor: Arc::clone(actor), action })
}

/// Applied credits to give back.
pub(super) fn reverse_application(
    request: &pb::ReverseCreditApplicationRequest,
    actor: &Arc<str>,
) -> Result<Command, Status> {
    let mut fields = Fields::default();
    let request_id = fields.take("request_id", RequestId::parse(&request.request_id));
    let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
    let invoice_id = fields.take("invoice_id", InvoiceId::parse(&request.invoice_id));
    let amount = fields.take_optional("amount", &request.amount, positive);
    fields.reason(&request.reason);
    let (Some(request_id), Some(customer), Some(invoice_id)) = (request_id, customer, invoice_id)
    else {
        return Err(fields.refuse());
    };
    fields.check()?;
    let reason = request.reason.as_str().into();
    let reverse = ReverseApplication { request_id, invoice_id, amount, reason };
    let action = Action::ReverseApplication(Box::new(reverse));
    Ok(Command { customer, actor: Arc::clone(actor), action })
}
