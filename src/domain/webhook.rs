//! Webhook endpoints and what they are told of: how they are changed, decided purely.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng as _;
use rand::rngs::{SysError, SysRng};
use uuid::Uuid;

use super::command::payload::Canon;
use super::ids::{EndpointId, RequestId};
use super::notification::{EventType, Interests, Subscription, Threshold, WarningPeriod};
use super::time::Timestamp;
use crate::limits;

/// What signs webhooks. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one: 32 random bytes, as Standard Webhooks write them.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn fresh() -> Result<Self, SysError> {
        let mut bytes = [0; 32];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(format!("whsec_{}", STANDARD.encode(bytes))))
    }

    /// Takes one from the database.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text, for who may see it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_…")
    }
}

/// A secret that was replaced, and signs for a while yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when it signs, exclusive.
    pub until: Timestamp,
}

/// Why an endpoint was not made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none, or there is none any more.
    #[error("no such webhook endpoint")]
    NotFound(EndpointId),
    /// Another endpoint was made with this key.
    #[error("this request_id was used before with another payload")]
    RequestIdReused,
    /// There are as many as may be.
    #[error("there are {} webhook endpoints already", limits::WEBHOOK_ENDPOINTS_MAX)]
    TooManyEndpoints,
    /// As many old secrets sign as may.
    #[error("{} old secrets sign already; the first ends within a day", limits::OLD_SECRETS_MAX)]
    TooManySecrets,
}

/// An endpoint to make.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// The caller's key, where one is given.
    pub request_id: Option<RequestId>,
    /// Where to.
    pub url: String,
    /// What it is told of; empty = everything.
    pub event_types: BTreeSet<EventType>,
    /// Text for people.
    pub description: String,
    /// What is to sign.
    pub secret: Secret,
}

impl CreateEndpoint {
    /// The fingerprint of what was sent.
    fn payload(&self) -> Uuid {
        let mut text = Canon::default();
        text.field(&self.url);
        text.field(&self.description);
        for kind in &self.event_types {
            text.field(kind.name());
        }
        text.fingerprint()
    }
}

/// A change of an endpoint; what is None stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateEndpoint {
    /// Where to.
    pub url: Option<String>,
    /// What it is told of; empty = everything.
    pub event_types: Option<BTreeSet<EventType>>,
    /// Text for people.
    pub description: Option<String>,
    /// Whether to deliver nothing for now.
    pub disabled: Option<bool>,
}

/// Since when, and why, nothing is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why, where creditd did it by itself.
    pub reason: Option<String>,
}

/// Where notifications are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Made by creditd.
    pub id: EndpointId,
    /// Where to.
    pub url: String,
    /// What it is told of; empty = everything.
    pub event_types: BTreeSet<EventType>,
    /// Text for people.
    pub description: String,
    /// What signs.
    pub secret: Secret,
    /// What signed before, newest first.
    pub old_secrets: Vec<OldSecret>,
    /// The caller's key, where one was given.
    pub request_id: Option<RequestId>,
    /// The fingerprint of what was sent with it.
    pub payload: Uuid,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Whether, and why, nothing is delivered.
    pub disabled: Option<Disabled>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, or disabled.
    pub updated_at: Timestamp,
}

impl Endpoint {
    fn new(create: CreateEndpoint, now: Timestamp) -> Self {
        Self {
            id: EndpointId::fresh(),
            payload: create.payload(),
            url: create.url,
            event_types: create.event_types,
            description: create.description,
            secret: create.secret,
            old_secrets: Vec::new(),
            request_id: create.request_id,
            failing_since: None,
            disabled: None,
            deleted_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Changes what is named. Whoever enables an endpoint says that it is mended: that it failed
    /// is forgotten.
    pub fn update(&mut self, update: UpdateEndpoint, now: Timestamp) {
        let before = self.clone();
        if let Some(url) = update.url {
            self.url = url;
        }
        if let Some(event_types) = update.event_types {
            self.event_types = event_types;
        }
        if let Some(description) = update.description {
            self.description = description;
        }
        match (update.disabled, &self.disabled) {
            (Some(true), None) => self.disabled = Some(Disabled { at: now, reason: None }),
            (Some(false), Some(_)) => {
                self.disabled = None;
                self.failing_since = None;
            }
            _ => {}
        }
        if *self != before {
            self.updated_at = now;
        }
    }

    /// Disables it for a reason of creditd's own; false where it is disabled already.
    pub fn disable(&mut self, reason: &str, now: Timestamp) -> bool {
        let enabled = self.disabled.is_none();
        if enabled {
            self.disabled = Some(Disabled { at: now, reason: Some(reason.to_owned()) });
            self.updated_at = now;
        }
        enabled
    }

    /// Makes another secret sign; those before it sign for a while yet.
    ///
    /// # Errors
    /// [`Refusal::TooManySecrets`].
    pub fn rotate(&mut self, fresh: Secret, now: Timestamp) -> Result<(), Refusal> {
        self.old_secrets.retain(|old| old.until > now);
        if self.old_secrets.len() >= limits::OLD_SECRETS_MAX {
            return Err(Refusal::TooManySecrets);
        }
        let secret = std::mem::replace(&mut self.secret, fresh);
        self.old_secrets.insert(0, OldSecret { secret, until: now + limits::OLD_SECRET_SIGNS_FOR });
        self.updated_at = now;
        Ok(())
    }

    /// Whether its secret was ever replaced: the newest of those before it is kept for good.
    fn was_rotated(&self) -> bool {
        !self.old_secrets.is_empty()
    }

    /// Until when secrets before the present one sign.
    #[must_use]
    pub fn old_secrets_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.old_secrets.iter().map(|old| old.until).filter(|until| *until > now).max()
    }

    fn subscription(&self) -> Option<Subscription> {
        let told = self.disabled.is_none() && self.deleted_at.is_none();
        told.then(|| Subscription {
            endpoint_id: self.id,
            types: Some(self.event_types.clone()).filter(|types| !types.is_empty()),
        })
    }
}

/// An endpoint that was made.
#[derive(Debug)]
pub struct Created {
    /// As it is now.
    pub endpoint: Endpoint,
    /// What signs, for the caller to see; None where it was replaced since.
    pub secret: Option<Secret>,
    /// Whether an earlier call made it.
    pub replayed: bool,
}

/// What is the same for all endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long before their ends grants are warned of, longest first.
    pub warnings: Vec<WarningPeriod>,
    /// The lines that balances may cross.
    pub thresholds: Vec<Threshold>,
    /// When they were last changed.
    pub updated_at: Option<Timestamp>,
}

impl Settings {
    /// Replaces what is given.
    pub fn update(
        &mut self,
        warnings: Option<Vec<WarningPeriod>>,
        thresholds: Option<Vec<Threshold>>,
        now: Timestamp,
    ) {
        let before = self.clone();
        if let Some(mut warnings) = warnings {
            warnings.sort_unstable_by(|one, other| other.cmp(one));
            self.warnings = warnings;
        }
        if let Some(thresholds) = thresholds {
            self.thresholds = thresholds;
        }
        if *self != before {
            self.updated_at = Some(now);
        }
    }
}

/// Who is told of what: the settings, and endpoints, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhooks {
    /// The settings.
    pub settings: Settings,
    /// Those that are not deleted, and any that is asked for.
    pub endpoints: Vec<Endpoint>,
}

impl Webhooks {
    /// Makes an endpoint, or finds the one that the same call made before.
    ///
    /// # Errors
    /// A [`Refusal`]; [`Refusal::NotFound`] where what the same call made was deleted.
    pub fn create(&mut self, create: CreateEndpoint, now: Timestamp) -> Result<Created, Refusal> {
        let same = |of: &&Endpoint| of.request_id.is_some() && of.request_id == create.request_id;
        if let Some(known) = self.endpoints.iter().find(same) {
            if known.payload != create.payload() {
                return Err(Refusal::RequestIdReused);
            }
            let endpoint = self.endpoint(known.id)?.clone();
            let secret = (!endpoint.was_rotated()).then(|| endpoint.secret.clone());
            return Ok(Created { endpoint, secret, replayed: true });
        }
        let standing = self.endpoints.iter().filter(|of| of.deleted_at.is_none());
        if standing.count() >= limits::WEBHOOK_ENDPOINTS_MAX {
            return Err(Refusal::TooManyEndpoints);
        }
        let endpoint = Endpoint::new(create, now);
        self.endpoints.push(endpoint.clone());
        let secret = Some(endpoint.secret.clone());
        Ok(Created { endpoint, secret, replayed: false })
    }

    /// One that is not deleted.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn endpoint(&mut self, id: EndpointId) -> Result<&mut Endpoint, Refusal> {
        let standing = |of: &&mut Endpoint| of.id == id && of.deleted_at.is_none();
        self.endpoints.iter_mut().find(standing).ok_or(Refusal::NotFound(id))
    }

    /// Deletes one, unless that was done before.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn delete(&mut self, id: EndpointId, now: Timestamp) -> Result<(), Refusal> {
        let endpoint = self.endpoints.iter_mut().find(|of| of.id == id);
        let endpoint = endpoint.ok_or(Refusal::NotFound(id))?;
        endpoint.deleted_at.get_or_insert(now);
        Ok(())
    }

    /// What somebody is to be told of.
    #[must_use]
    pub fn interests(&self) -> Interests {
        let subscriptions = self.endpoints.iter().filter_map(Endpoint::subscription).collect();
        let Settings { warnings, thresholds, .. } = self.settings.clone();
        Interests::new(subscriptions, warnings, thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::fresh().expect("random bytes");
        assert_eq!(format!("{secret:?}"), "whsec_…");
        let base64 = secret.reveal().strip_prefix("whsec_").expect("the prefix");
        assert_eq!(STANDARD.decode(base64).expect("base64").len(), 32);
        assert_ne!(secret, Secret::fresh().expect("random bytes"));
    }
}
