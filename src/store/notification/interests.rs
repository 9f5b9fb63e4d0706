//! What anybody is to be told of, as it is kept.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::rows::currency_of;
use crate::domain::amount::{Amount, SCALE};
use crate::domain::ids::{EndpointId, Metric};
use crate::domain::notification::{
    EventType, Interests, Part, Subscription, Threshold, WarningPeriod,
};

/// Interests as `notification_settings.interests` keeps them.
pub(in super::super) fn interests_json(interests: &Interests) -> Value {
    let endpoints = interests.subscriptions().iter().map(|endpoint| {
        let types = endpoint.types.as_ref();
        let types = types.map(|types| types.iter().map(|kind| kind.name()).collect::<Vec<_>>());
        json!({ "id": endpoint.endpoint_id.to_string(), "types": types })
    });
    let warnings = interests.warnings().iter().map(|period| period.seconds());
    json!({
        "endpoints": endpoints.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
        "thresholds": thresholds_json(interests.thresholds()),
    })
}

/// The same, read.
pub(in super::super) fn read_interests(stored: &Value) -> Result<Interests> {
    let endpoints = list(&stored["endpoints"])?.iter().map(subscription);
    let warnings = list(&stored["warnings"])?.iter().map(|seconds| {
        let period = seconds.as_i64().and_then(WarningPeriod::from_seconds);
        period.ok_or_else(|| Error::corrupt("a warning period"))
    });
    Ok(Interests::new(
        endpoints.collect::<Result<_>>()?,
        warnings.collect::<Result<_>>()?,
        read_thresholds(&stored["thresholds"])?,
    ))
}

fn subscription(stored: &Value) -> Result<Subscription> {
    let id = stored["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
    let id = id.ok_or_else(|| Error::corrupt("an endpoint's id"))?;
    let types = match &stored["types"] {
        Value::Null => None,
        types => {
            // What a later version tells, this one never does.
            let known = |name: &Value| name.as_str().and_then(EventType::subscribable);
            Some(list(types)?.iter().filter_map(known).collect())
        }
    };
    Ok(Subscription { endpoint_id: EndpointId(id), types })
}

/// Thresholds as the settings keep them, and customers those below which they are.
pub(in super::super) fn thresholds_json(thresholds: &[Threshold]) -> Value {
    thresholds.iter().map(threshold_json).collect()
}

/// A threshold, named as on the wire.
pub(super) fn threshold_json(threshold: &Threshold) -> Value {
    let (kind, of) = match &threshold.of {
        Part::Metric(metric) => ("metric", metric.as_str()),
        Part::Currency(currency) => ("currency", currency.code()),
    };
    json!({
        kind: of,
        "amount": threshold.print(threshold.amount),
        "recover_at": threshold.print(threshold.recover_at),
    })
}

/// The same, read.
pub(in super::super) fn read_thresholds(stored: &Value) -> Result<Vec<Threshold>> {
    let each = list(stored)?.iter().map(|stored| {
        let of = match (stored["metric"].as_str(), stored["currency"].as_str()) {
            (Some(metric), None) => Part::Metric(Metric::stored(metric.to_owned())),
            (None, Some(code)) => Part::Currency(currency_of(code)?),
            _ => return Err(Error::corrupt("a threshold")),
        };
        let amount = |field: &str| {
            let read = stored[field].as_str().and_then(|text| Amount::parse(text, SCALE).ok());
            read.ok_or_else(|| Error::corrupt("a threshold's amount"))
        };
        Ok(Threshold { of, amount: amount("amount")?, recover_at: amount("recover_at")? })
    });
    each.collect()
}

pub(super) fn list(stored: &Value) -> Result<&Vec<Value>> {
    stored.as_array().ok_or_else(|| Error::corrupt("a list"))
}
