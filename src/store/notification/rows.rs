//! Rows of webhook endpoints and of the settings.

use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::error::{Error, Result};
use super::super::schema::{notification_settings, webhook_endpoints};
use super::interests::{list, read_thresholds};
use crate::domain::ids::{EndpointId, RequestId};
use crate::domain::notification::{EventType, WarningPeriod};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Disabled, Endpoint, OldSecret, Secret, Settings};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, treat_none_as_null = true)]
pub(super) struct EndpointRow {
    id: Uuid,
    url: String,
    event_types: Vec<String>,
    description: String,
    secret: String,
    old_secrets: Value,
    request_id: Option<String>,
    payload: Uuid,
    failing_since: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    disabled_reason: Option<String>,
    deleted_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<&Endpoint> for EndpointRow {
    fn from(endpoint: &Endpoint) -> Self {
        let endpoint = endpoint.clone();
        let (disabled_at, disabled_reason) = endpoint.disabled.map(|of| (of.at, of.reason)).unzip();
        Self {
            id: endpoint.id.0,
            url: endpoint.url,
            event_types: endpoint.event_types.iter().map(|kind| kind.name().to_owned()).collect(),
            description: endpoint.description,
            secret: endpoint.secret.reveal().to_owned(),
            old_secrets: endpoint.old_secrets.iter().map(old_secret_json).collect(),
            request_id: endpoint.request_id.map(|id| id.as_str().to_owned()),
            payload: endpoint.payload,
            failing_since: endpoint.failing_since,
            disabled_at,
            disabled_reason: disabled_reason.flatten(),
            deleted_at: endpoint.deleted_at,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = Error;

    fn try_from(row: EndpointRow) -> Result<Self> {
        let kind = |name: &String| {
            EventType::subscribable(name).ok_or_else(|| Error::corrupt("an event type"))
        };
        let reason = row.disabled_reason;
        Ok(Self {
            id: EndpointId(row.id),
            url: row.url,
            event_types: row.event_types.iter().map(kind).collect::<Result<_>>()?,
            description: row.description,
            secret: Secret::stored(row.secret),
            old_secrets: list(&row.old_secrets)?.iter().map(old_secret).collect::<Result<_>>()?,
            request_id: row.request_id.map(RequestId::stored),
            payload: row.payload,
            failing_since: row.failing_since,
            disabled: row.disabled_at.map(|at| Disabled { at, reason }),
            deleted_at: row.deleted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn old_secret_json(old: &OldSecret) -> Value {
    json!({ "secret": old.secret.reveal(), "until": old.until.to_rfc3339() })
}

pub(super) fn old_secret(stored: &Value) -> Result<OldSecret> {
    let secret = stored["secret"].as_str().map(|text| Secret::stored(text.to_owned()));
    let until = stored["until"].as_str().and_then(|text| text.parse().ok());
    let (secret, until) = secret.zip(until).ok_or_else(|| Error::corrupt("an old secret"))?;
    Ok(OldSecret { secret, until })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notification_settings)]
pub(super) struct SettingsRow {
    expiry_warnings: Vec<i64>,
    balance_thresholds: Value,
    updated_at: Option<Timestamp>,
    pub interests: Value,
}

impl TryFrom<&SettingsRow> for Settings {
    type Error = Error;

    fn try_from(row: &SettingsRow) -> Result<Self> {
        let warnings = row.expiry_warnings.iter().map(|seconds| {
            let period = WarningPeriod::from_seconds(*seconds);
            period.ok_or_else(|| Error::corrupt("a warning period"))
        });
        Ok(Self {
            warnings: warnings.collect::<Result<_>>()?,
            thresholds: read_thresholds(&row.balance_thresholds)?,
            updated_at: row.updated_at,
        })
    }
}
