//! Errors, spoken once: every way to fail becomes one gRPC status here, with an ErrorInfo whose
//! reason is published in proto/credits/v1/error.proto.

mod carried;

use std::collections::HashMap;
use std::mem::discriminant;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use uuid::Uuid;

pub(super) use self::carried::{as_message, within};
use crate::domain::amount::AmountError;
use crate::domain::campaign::Rejection;
use crate::domain::command::Outcome;
use crate::domain::hold::Ending;
use crate::domain::identity::Role;
use crate::domain::ids::{DeliveryId, EndpointId, GrantId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::webhook;
use crate::engine::Failure;
use crate::limits;
use crate::pb::ErrorReason;
use crate::store;
use crate::watch;

const DOMAIN: &str = "creditd";

fn details(reason: ErrorReason, metadata: HashMap<String, String>) -> ErrorDetails {
    let name = reason.as_str_name();
    let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
    let mut details = ErrorDetails::new();
    details.set_error_info(name, DOMAIN, metadata);
    details
}

fn status(code: Code, message: impl Into<String>, reason: ErrorReason) -> Status {
    Status::with_error_details(code, message, details(reason, HashMap::new()))
}

fn with_metadata(
    code: Code,
    message: impl Into<String>,
    reason: ErrorReason,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> Status {
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Status::with_error_details(code, message, details(reason, metadata))
}

fn try_again(code: Code, message: &str, reason: ErrorReason) -> Status {
    let mut details = details(reason, HashMap::new());
    details.set_retry_info(Some(limits::RETRY_AFTER));
    Status::with_error_details(code, message, details)
}

/// INVALID_ARGUMENT, naming every field and the rule it breaks.
pub(super) fn invalid_fields(faults: Vec<(String, String)>) -> Status {
    let spelt = faults.iter().take(limits::FIELD_FAULTS_SPELT);
    let mut message =
        spelt.map(|(field, rule)| format!("{field} {rule}")).collect::<Vec<_>>().join("; ");
    if let Some(more @ 1..) = faults.len().checked_sub(limits::FIELD_FAULTS_SPELT) {
        message.push_str(&format!("; and {more} more"));
    }
    let mut bytes = 0;
    let fitting = faults.iter().take(limits::FIELD_FAULTS_MAX).take_while(|(field, rule)| {
        bytes += field.len() + rule.len();
        bytes <= limits::FIELD_FAULTS_BYTES_MAX
    });
    let named = fitting.count();
    let unnamed = faults.len() - named;
    let named = faults.into_iter().take(named);
    let mut violations: Vec<FieldViolation> =
        named.map(|(field, rule)| FieldViolation::new(field, rule)).collect();
    if unnamed > 0 {
        violations.push(FieldViolation::new("", format!("and {unnamed} more faults")));
    }
    let mut details = details(ErrorReason::InvalidField, HashMap::new());
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// INVALID_ARGUMENT for one field.
pub(super) fn invalid_field(field: &str, rule: &str) -> Status {
    invalid_fields(vec![(field.to_owned(), rule.to_owned())])
}

fn not_found(reason: ErrorReason, kind: &str, name: &str, message: &str) -> Status {
    let mut details = details(reason, HashMap::new());
    details.set_resource_info(kind, name, "", message);
    Status::with_error_details(Code::NotFound, message, details)
}

/// UNAUTHENTICATED: nothing that was sent says who calls. It does not say why, so that nobody learns
/// which keys there are.
pub(super) fn unauthenticated() -> Status {
    let message = "this needs a key that is taken (authorization: Bearer creditd_…), or a client \
                   certificate that a role was given to";
    status(Code::Unauthenticated, message, ErrorReason::Unauthenticated)
}

/// RESOURCE_EXHAUSTED where too many have calls open who have not proven who they are.
pub(super) fn too_many_strangers() -> Status {
    let message = "too many calls of unknown callers are open";
    try_again(Code::ResourceExhausted, message, ErrorReason::Overloaded)
}

/// PERMISSION_DENIED: who calls may not do this.
pub(super) fn permission_denied(role: Role, least: Role) -> Status {
    with_metadata(
        Code::PermissionDenied,
        format!("this needs the role {least}, and the caller's is {role}"),
        ErrorReason::PermissionDenied,
        [("role", role.to_string()), ("least_role", least.to_string())],
    )
}

/// NOT_FOUND for a grant.
pub(super) fn no_grant(id: GrantId) -> Status {
    not_found(ErrorReason::GrantNotFound, "credits.v1.Grant", &id.to_string(), "no such grant")
}

/// NOT_FOUND for a usage event.
pub(super) fn no_event(event_id: &str) -> Status {
    let reason = ErrorReason::EventNotFound;
    not_found(reason, "credits.v1.UsageEvent", event_id, "no such usage event")
}

/// NOT_FOUND for a credit application.
pub(super) fn no_application(invoice_id: &str) -> Status {
    let reason = ErrorReason::ApplicationNotFound;
    let message = "no credits were applied to this invoice";
    not_found(reason, "credits.v1.CreditApplication", invoice_id, message)
}

/// NOT_FOUND for a hold.
pub(super) fn no_hold(hold_id: &str) -> Status {
    not_found(ErrorReason::HoldNotFound, "credits.v1.Hold", hold_id, "no such hold")
}

/// NOT_FOUND for a webhook endpoint.
pub(super) fn no_endpoint(id: EndpointId) -> Status {
    let (reason, id) = (ErrorReason::EndpointNotFound, id.to_string());
    not_found(reason, "credits.v1.WebhookEndpoint", &id, "no such webhook endpoint")
}

/// NOT_FOUND for a delivery.
pub(super) fn no_delivery(id: DeliveryId) -> Status {
    let (reason, id) = (ErrorReason::DeliveryNotFound, id.to_string());
    not_found(reason, "credits.v1.Delivery", &id, "no such delivery")
}

/// FAILED_PRECONDITION for something to be sent to an endpoint that nothing is sent to.
pub(super) fn endpoint_disabled() -> Status {
    let message = "the webhook endpoint is disabled";
    status(Code::FailedPrecondition, message, ErrorReason::EndpointDisabled)
}

/// Why endpoints or settings were not changed.
pub(super) fn of_not_changed(not: store::NotChanged) -> Status {
    let refusal = match not {
        store::NotChanged::Store(error) => return of_store(error),
        store::NotChanged::Refused(refusal) => refusal,
    };
    let message = refusal.to_string();
    match refusal {
        webhook::Refusal::NotFound(id) => no_endpoint(id),
        webhook::Refusal::RequestIdReused => {
            status(Code::AlreadyExists, message, ErrorReason::RequestIdReused)
        }
        webhook::Refusal::TooManyEndpoints => {
            limit_exceeded("webhook_endpoints", limits::WEBHOOK_ENDPOINTS_MAX, message)
        }
        webhook::Refusal::TooManySecrets => {
            limit_exceeded("webhook_secrets", limits::OLD_SECRETS_MAX, message)
        }
    }
}

/// NOT_FOUND for a campaign.
pub(super) fn no_campaign(campaign_id: &str) -> Status {
    let reason = ErrorReason::CampaignNotFound;
    not_found(reason, "credits.v1.Campaign", campaign_id, "no such campaign")
}

/// NOT_FOUND for a profile.
pub(super) fn no_customer(customer_id: &str) -> Status {
    let reason = ErrorReason::CustomerNotFound;
    not_found(reason, "credits.v1.Customer", customer_id, "the customer has no profile")
}

/// FAILED_PRECONDITION for a test clock told to go back.
pub(super) fn clock_backwards(now: Timestamp) -> Status {
    with_metadata(
        Code::FailedPrecondition,
        "the test clock never runs backwards",
        ErrorReason::ClockBackwards,
        [("time", now.to_rfc3339())],
    )
}

/// UNAVAILABLE while creditd goes down.
pub(super) fn draining() -> Status {
    try_again(Code::Unavailable, "creditd is going down", ErrorReason::Unavailable)
}

/// INTERNAL with an id; what happened is in the log under it, and nowhere else.
pub(super) fn internal(id: Uuid) -> Status {
    with_metadata(
        Code::Internal,
        format!("internal error {id}"),
        ErrorReason::Internal,
        [("error_id", id.to_string())],
    )
}

/// INTERNAL for something that should not be, told in the log.
pub(super) fn unexpected(what: &dyn std::fmt::Display) -> Status {
    let id = Uuid::now_v7();
    tracing::error!(%id, error = %what, "a call failed");
    internal(id)
}

/// INTERNAL for figures that left the exact range, which sound ones never do.
pub(super) fn of_arithmetic(error: AmountError) -> Status {
    unexpected(&error)
}

/// INTERNAL for a command that came to something that it never comes to. Which is all that is told of
/// it: what is in it is a customer's.
pub(super) fn unexpected_outcome(outcome: &Outcome) -> Status {
    unexpected(&format_args!("an outcome of another kind: {:?}", discriminant(outcome)))
}

/// UNAVAILABLE while there is no database yet, or its schema is not this creditd's.
pub(super) fn starting() -> Status {
    let message = "creditd is starting: it waits for its database";
    try_again(Code::Unavailable, message, ErrorReason::Unavailable)
}

/// What the engine says.
pub(super) fn of_failure(failure: Failure) -> Status {
    match failure {
        Failure::Refused(refusal) => of_refusal(refusal),
        Failure::Overloaded => try_again(
            Code::ResourceExhausted,
            "too many commands are waiting",
            ErrorReason::Overloaded,
        ),
        Failure::Unavailable => try_again(
            Code::Unavailable,
            "the database is away, or creditd is going down",
            ErrorReason::Unavailable,
        ),
        Failure::ConcurrentUpdate => status(
            Code::Aborted,
            "lost too many races with other commands",
            ErrorReason::ConcurrentUpdate,
        ),
        Failure::DeadlineExceeded => status(
            Code::DeadlineExceeded,
            "the deadline had passed before the command was begun",
            ErrorReason::DeadlineExceeded,
        ),
        Failure::Internal(id) => internal(id),
    }
}

/// What the domain says.
pub(super) fn of_refusal(refusal: Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::InvalidField { field, rule } => invalid_field(field, rule),
        Refusal::GrantNotFound => status(Code::NotFound, message, ErrorReason::GrantNotFound),
        Refusal::RequestIdReused | Refusal::ImportRowReused => {
            status(Code::AlreadyExists, message, ErrorReason::RequestIdReused)
        }
        Refusal::CampaignIdReused => {
            status(Code::AlreadyExists, message, ErrorReason::CampaignIdReused)
        }
        Refusal::EventIdReused => status(Code::AlreadyExists, message, ErrorReason::EventIdReused),
        Refusal::InvoiceAlreadyApplied => {
            status(Code::AlreadyExists, message, ErrorReason::InvoiceAlreadyApplied)
        }
        Refusal::HoldIdReused => status(Code::AlreadyExists, message, ErrorReason::HoldIdReused),
        Refusal::EventNotFound(id) => no_event(id.as_str()),
        Refusal::ApplicationNotFound(id) => no_application(id.as_str()),
        Refusal::HoldNotFound(id) => no_hold(id.as_str()),
        Refusal::HoldNotOpen(ending) => with_metadata(
            Code::FailedPrecondition,
            message,
            ErrorReason::HoldNotOpen,
            [("status", ended(&ending).to_owned())],
        ),
        Refusal::ReversalExceeds { requested, left } => with_metadata(
            Code::FailedPrecondition,
            message,
            ErrorReason::ReversalExceeds,
            [("requested", requested), ("left", left)],
        ),
        Refusal::TooManyOpenHolds { limit } => limit_exceeded("open_holds", limit, message),
        Refusal::InsufficientCredits { requested, available } => with_metadata(
            Code::FailedPrecondition,
            message,
            ErrorReason::InsufficientCredits,
            [("requested", requested.to_string()), ("available", available.to_string())],
        ),
        Refusal::GrantNotActive => {
            status(Code::FailedPrecondition, message, ErrorReason::GrantNotActive)
        }
        Refusal::TooManyOpenGrants { limit } => limit_exceeded("open_grants", limit, message),
        Refusal::TimestampOutOfWindow => {
            status(Code::FailedPrecondition, message, ErrorReason::TimestampOutOfWindow)
        }
        Refusal::Arithmetic(error) => unexpected(&error),
    }
}

/// Why a customer was refused a campaign's grant, as CreateGrant would have said it.
pub(super) fn of_rejection(rejection: Rejection) -> Status {
    match rejection {
        Rejection::ExpiryPassed => invalid_field("expires_at", "must be after now"),
        Rejection::TooManyOpenGrants => {
            of_refusal(Refusal::TooManyOpenGrants { limit: limits::OPEN_GRANTS_MAX })
        }
        Rejection::Internal(id) => internal(id),
    }
}

fn ended(ending: &Ending) -> &'static str {
    match ending {
        Ending::Settled { .. } => "SETTLED",
        Ending::Released => "RELEASED",
        Ending::Expired => "EXPIRED",
    }
}

fn limit_exceeded(name: &str, limit: usize, message: String) -> Status {
    with_metadata(
        Code::FailedPrecondition,
        message,
        ErrorReason::LimitExceeded,
        [("limit", limit.to_string()), ("name", name.to_owned())],
    )
}

/// FAILED_PRECONDITION for a summary that would be too long.
pub(super) fn too_many_summary_rows(limit: usize) -> Status {
    let message = format!("a summary has at most {limit} rows; ask for less at once");
    limit_exceeded("summary_rows", limit, message)
}

/// Why nobody more may watch.
pub(super) fn of_refused_watch(refused: watch::Refused) -> Status {
    let message = refused.to_string();
    match refused {
        watch::Refused::TooManyWatchers(limit) => limit_exceeded("watchers", limit, message),
        watch::Refused::TooManyCustomers(limit) => {
            limit_exceeded("watched_customers", limit, message)
        }
        watch::Refused::Closing => draining(),
    }
}

/// Why a watch has ended.
pub(super) fn of_ended_watch(ending: watch::Ending) -> Status {
    match ending {
        watch::Ending::Closing => draining(),
        watch::Ending::Lost => try_again(
            Code::Unavailable,
            "the database has lost what was shown; the next stream begins with what is left",
            ErrorReason::Unavailable,
        ),
        watch::Ending::Unreadable(id) => internal(id),
    }
}

/// UNAVAILABLE where the present state did not come in time.
pub(super) fn no_first_state() -> Status {
    let message = "the present state could not be had in time";
    try_again(Code::Unavailable, message, ErrorReason::Unavailable)
}

/// What the store says to a read.
pub(super) fn of_store(error: store::Error) -> Status {
    match error {
        store::Error::Away(_) | store::Error::Other(_) | store::Error::Unusable(_) => {
            tracing::warn!(%error, "a read failed");
            try_again(Code::Unavailable, "the database is away", ErrorReason::Unavailable)
        }
        store::Error::Conflict(_) | store::Error::Overtaken(_) => {
            status(Code::Aborted, "lost a race", ErrorReason::ConcurrentUpdate)
        }
        store::Error::Constraint { .. } | store::Error::Corrupt(_) => unexpected(&error),
    }
}
