//! Endpoints, settings and deliveries, as the wire says them.

use prost_types::Duration as WireDuration;

use super::super::convert::time;
use crate::domain::ids::Customer;
use crate::domain::notification::{Part, Threshold};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Endpoint, Settings};
use crate::pb;
use crate::store::{Delivery, DeliveryStatus};

/// An endpoint, at `now`; its secrets are not part of it.
pub(super) fn endpoint(endpoint: Endpoint, now: Timestamp) -> pb::WebhookEndpoint {
    let old_secrets_until = endpoint.old_secrets_until(now).map(time);
    let disabled = endpoint.disabled.is_some();
    pb::WebhookEndpoint {
        id: endpoint.id.to_string(),
        url: endpoint.url,
        event_types: endpoint.event_types.iter().map(ToString::to_string).collect(),
        description: endpoint.description,
        disabled,
        disabled_reason: endpoint.disabled.and_then(|of| of.reason).unwrap_or_default(),
        failing_since: endpoint.failing_since.map(time),
        old_secrets_until,
        created_at: Some(time(endpoint.created_at)),
        updated_at: Some(time(endpoint.updated_at)),
    }
}

/// The settings.
pub(super) fn settings(settings: &Settings) -> pb::NotificationSettings {
    let period = |seconds| WireDuration { seconds, nanos: 0 };
    let warnings = settings.warnings.iter();
    pb::NotificationSettings {
        expiry_warnings: warnings.map(|warning| period(warning.seconds())).collect(),
        balance_thresholds: settings.thresholds.iter().map(threshold).collect(),
        updated_at: settings.updated_at.map(time),
    }
}

fn threshold(threshold: &Threshold) -> pb::BalanceThreshold {
    let (currency, metric) = match &threshold.of {
        Part::Currency(currency) => (currency.code().to_owned(), String::new()),
        Part::Metric(metric) => (String::new(), metric.to_string()),
    };
    pb::BalanceThreshold {
        currency,
        metric,
        amount: threshold.print(threshold.amount),
        recover_at: threshold.print(threshold.recover_at),
    }
}

/// A delivery.
pub(super) fn delivery(delivery: Delivery) -> pb::Delivery {
    let customer_id = delivery.customer.as_ref().map(|Customer { external_id, .. }| external_id);
    pb::Delivery {
        id: delivery.id.to_string(),
        endpoint_id: delivery.endpoint_id.to_string(),
        notification_id: format!("msg_{}", delivery.notification_id),
        event_type: delivery.event_type,
        customer_id: customer_id.map(ToString::to_string).unwrap_or_default(),
        status: delivery_status(delivery.status).into(),
        attempts: delivery.attempts,
        response_status: delivery.response_status.map_or(0, i32::from),
        error: delivery.error.unwrap_or_default(),
        created_at: Some(time(delivery.created_at)),
        attempted_at: delivery.attempted_at.map(time),
        next_attempt_at: delivery.next_attempt_at.map(time),
        payload: delivery.payload,
    }
}

/// Where a delivery stands.
pub(super) fn delivery_status(status: DeliveryStatus) -> pb::DeliveryStatus {
    match status {
        DeliveryStatus::Pending => pb::DeliveryStatus::Pending,
        DeliveryStatus::Delivered => pb::DeliveryStatus::Delivered,
        DeliveryStatus::Parked => pb::DeliveryStatus::Parked,
    }
}
