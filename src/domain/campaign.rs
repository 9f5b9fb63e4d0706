//! Campaigns: the same grant for many customers, each of whom gets it once, however often the
//! campaign is run. What a run does is decided by the customers' accounts, under
//! [`Key::Campaign`](super::command::Key::Campaign).

use std::sync::Arc;

use uuid::Uuid;

use super::command::payload::Canon;
use super::command::{Action, Command, CreateGrant};
use super::ids::{CampaignId, Customer, GrantId, Segment};
use super::refusal::Refusal;
use super::time::Timestamp;

/// For whom a campaign is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Whoever is in the segment when it is run.
    Segment(Segment),
    /// These customers, by their ids, each once.
    Named(Vec<Customer>),
}

impl Audience {
    /// These customers, whatever their order.
    #[must_use]
    pub fn named(mut customers: Vec<Customer>) -> Self {
        customers.sort_unstable_by(|a, b| a.external_id.cmp(&b.external_id));
        Self::Named(customers)
    }
}

/// A campaign to be made.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// The caller's key of it.
    pub campaign_id: CampaignId,
    /// For whom.
    pub audience: Audience,
    /// What each of them gets.
    pub template: CreateGrant,
    /// By whom.
    pub actor: Arc<str>,
}

impl NewCampaign {
    /// A fingerprint of the payload as sent, by value: all of it but the template's `effective_at`,
    /// which is compared apart because an omitted one agrees with any.
    #[must_use]
    pub fn payload(&self) -> Uuid {
        let mut text = Canon::default();
        match &self.audience {
            Audience::Segment(segment) => {
                text.field("segment");
                text.field(segment.as_str());
            }
            Audience::Named(customers) => {
                text.field("named");
                text.field(&customers.len().to_string());
                for customer in customers {
                    text.field(&customer.external_id);
                }
            }
        }
        text.field(&self.template.payload().to_string());
        text.fingerprint()
    }

    /// Whether it is this campaign, sent again.
    #[must_use]
    pub fn is(&self, known: &Campaign) -> bool {
        let same_start = match (self.template.effective_at, known.template.effective_at) {
            (Some(sent), Some(before)) => sent == before,
            _ => true,
        };
        same_start && self.payload() == known.payload
    }
}

/// A campaign, and its last run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The caller's key of it.
    pub campaign_id: CampaignId,
    /// [`NewCampaign::payload`] of what was sent.
    pub payload: Uuid,
    /// The segment that it is for; None where its customers were named.
    pub segment: Option<Segment>,
    /// What each of them gets.
    pub template: CreateGrant,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: Arc<str>,
    /// The last run.
    pub run: Run,
}

impl Campaign {
    /// What gives a customer its grant.
    #[must_use]
    pub fn command(&self, customer: Customer) -> Command {
        let create = CreateGrant { grant_id: GrantId::fresh(), ..self.template.clone() };
        let actor = Arc::clone(&self.created_by);
        Command { customer, actor, action: Action::CreateGrant(Box::new(create)) }
    }
}

/// One walk over a campaign's customers, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// From 1.
    pub number: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it had come to its end.
    pub finished_at: Option<Timestamp>,
    /// How many customers there are to come to, as far as is known.
    pub members: i64,
    /// How many it is done with.
    pub processed: i64,
    /// How many of them got the grant.
    pub created: i64,
    /// How many had it.
    pub duplicates: i64,
    /// How many were refused it.
    pub rejected: i64,
    /// The first of those, by their ids.
    pub rejections: Vec<(String, Rejection)>,
}

/// Why a customer was refused a campaign's grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The template's expiry has passed.
    ExpiryPassed,
    /// The customer has as many open grants as one may have.
    TooManyOpenGrants,
    /// Something that should not be; told in the log under this id.
    Internal(Uuid),
}

impl Rejection {
    /// Why the account refused. None of what it never says to a template that was parsed.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Option<Self> {
        match refusal {
            Refusal::InvalidField { field: "expires_at", .. } => Some(Self::ExpiryPassed),
            Refusal::TooManyOpenGrants { .. } => Some(Self::TooManyOpenGrants),
            _ => None,
        }
    }
}
