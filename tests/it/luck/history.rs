//! Random histories.

use chrono::{DateTime, TimeDelta, Utc};
use creditd::pb;
use prost_types::FieldMask;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::CUSTOMERS;
use crate::harness::{say, t0};

const STEPS: usize = 26;
const CALLS: usize = 6;

/// One step of a history. Grants are named by the order in which they were asked for.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Create(pb::CreateGrantRequest),
    Import(pb::CreateGrantRequest),
    Usage(pb::RecordUsageRequest),
    Update(usize, pb::UpdateGrantRequest),
    Void(usize),
    Hold(pb::CreateHoldRequest),
    Extend(pb::ExtendHoldRequest),
    Settle(pb::SettleHoldRequest),
    Release(String, String),
    Look(String, String),
    Apply(pb::ApplyCreditsRequest),
    ReverseUsage(pb::ReverseUsageRequest),
    ReverseApplication(pb::ReverseCreditApplicationRequest),
    AdvanceTo(DateTime<Utc>),
}

pub(super) struct History {
    rng: StdRng,
    now: DateTime<Utc>,
    steps: Vec<Step>,
    grants: usize,
    events: Vec<pb::RecordUsageRequest>,
    holds: Vec<pb::CreateHoldRequest>,
    invoices: Vec<pb::ApplyCreditsRequest>,
    reversals: usize,
}

impl History {
    pub(super) fn random(seed: u64) -> Vec<Step> {
        let rng = StdRng::seed_from_u64(seed);
        let mut history = Self {
            rng,
            now: t0(),
            steps: Vec::new(),
            grants: 0,
            events: Vec::new(),
            holds: Vec::new(),
            invoices: Vec::new(),
            reversals: 0,
        };
        for _ in 0..STEPS {
            for _ in 0..CALLS {
                let step = history.call();
                history.steps.push(step);
            }
            history.now += TimeDelta::minutes(history.rng.random_range(0..26 * 60));
            history.steps.push(Step::AdvanceTo(history.now));
        }
        history.steps
    }

    fn customer(&mut self) -> String {
        format!("customer-{}", self.rng.random_range(0..CUSTOMERS))
    }

    fn hours(&mut self, from: i64, to: i64) -> DateTime<Utc> {
        self.now + TimeDelta::minutes(self.rng.random_range(from * 60..=to * 60))
    }

    fn metric(&mut self) -> &'static str {
        ["tokens", "minutes"][self.rng.random_range(0..2)]
    }

    fn call(&mut self) -> Step {
        match self.rng.random_range(0..100) {
            _ if self.grants == 0 => self.create(),
            0..28 => self.create(),
            28..48 => self.usage(),
            48..56 => self.update(),
            56..70 => self.hold(),
            70..80 => self.end_of_hold(),
            80..88 => self.apply(),
            88..95 => self.reverse(),
            _ => Step::Void(self.rng.random_range(0..self.grants)),
        }
    }

    fn create(&mut self) -> Step {
        let (customer, amount) = (self.customer(), self.rng.random_range(1..40).to_string());
        let grant = if self.rng.random_bool(0.3) {
            say::money(&customer, &amount, "EUR")
        } else {
            let metrics = (0..self.rng.random_range(0..2)).map(|_| self.metric().to_owned());
            pb::CreateGrantRequest { metrics: metrics.collect(), ..say::units(&customer, &amount) }
        };
        let starts = self.rng.random_bool(0.4).then(|| say::time(self.hours(-80, 12)));
        // Whole days, too, so that several fall due at the same instant.
        let ends = if self.rng.random_bool(0.5) {
            t0() + TimeDelta::days((self.now - t0()).num_days() + self.rng.random_range(0..4))
        } else {
            self.hours(-1, 60)
        };
        let grant = pb::CreateGrantRequest {
            request_id: format!("r{}", self.grants),
            priority: Some(self.rng.random_range(0..4)),
            effective_at: starts,
            expires_at: self.rng.random_bool(0.8).then(|| say::time(ends)),
            ..grant
        };
        self.grants += 1;
        if self.rng.random_bool(0.3) {
            return Step::Import(pb::CreateGrantRequest { request_id: String::new(), ..grant });
        }
        Step::Create(grant)
    }

    fn usage(&mut self) -> Step {
        if self.rng.random_bool(0.1) && !self.events.is_empty() {
            return Step::Usage(self.events[self.rng.random_range(0..self.events.len())].clone());
        }
        let event = format!("e{}", self.events.len());
        let quantity = self.rng.random_range(1..20).to_string();
        let usage = say::usage(&self.customer(), &event, self.metric(), &quantity);
        let policy = if self.rng.random_bool(0.3) {
            pb::InsufficientCredits::Reject
        } else {
            pb::InsufficientCredits::AllowOverage
        };
        let usage = pb::RecordUsageRequest {
            insufficient_credits: policy.into(),
            timestamp: self.rng.random_bool(0.7).then(|| say::time(self.hours(-90, 0))),
            ..usage
        };
        self.events.push(usage.clone());
        Step::Usage(usage)
    }

    fn update(&mut self) -> Step {
        let paths: &[&str] =
            [&["priority"][..], &["expires_at"], &["description"], &["expires_at", "priority"]]
                [self.rng.random_range(0..4)];
        let update = pb::UpdateGrantRequest {
            update_mask: Some(FieldMask { paths: paths.iter().map(|&p| p.to_owned()).collect() }),
            description: format!("noted at {}", self.now),
            priority: Some(self.rng.random_range(0..4)),
            expires_at: self.rng.random_bool(0.8).then(|| say::time(self.hours(-2, 60))),
            ..Default::default()
        };
        Step::Update(self.rng.random_range(0..self.grants), update)
    }

    fn hold(&mut self) -> Step {
        if self.rng.random_bool(0.1) && !self.holds.is_empty() {
            return Step::Hold(self.holds[self.rng.random_range(0..self.holds.len())].clone());
        }
        let id = format!("h{}", self.holds.len());
        let quantity = self.rng.random_range(1..20).to_string();
        let ttl = TimeDelta::minutes(self.rng.random_range(1..=24 * 60));
        let hold = pb::CreateHoldRequest {
            ttl: say::duration(ttl),
            allow_partial: self.rng.random_bool(0.6),
            ..say::hold(&self.customer(), &id, self.metric(), &quantity)
        };
        self.holds.push(hold.clone());
        Step::Hold(hold)
    }

    /// Of one that was asked for of late, or no end but a look.
    fn end_of_hold(&mut self) -> Step {
        let late = self.holds.len().saturating_sub(5);
        let Some(hold) = self.holds.get(late..).filter(|late| !late.is_empty()) else {
            return self.hold();
        };
        let (customer, id) = {
            let hold = &hold[self.rng.random_range(0..hold.len())];
            (hold.customer_id.clone(), hold.hold_id.clone())
        };
        match self.rng.random_range(0..10) {
            0 => Step::Look(customer, id),
            1..3 => Step::Release(customer, id),
            3..6 => {
                let ttl = TimeDelta::minutes(self.rng.random_range(1..=24 * 60));
                Step::Extend(say::extend(&customer, &id, ttl))
            }
            _ => {
                let quantity = self.rng.random_range(0..20).to_string();
                let timestamp = self.rng.random_bool(0.5).then(|| say::time(self.hours(-90, 0)));
                Step::Settle(pb::SettleHoldRequest {
                    timestamp,
                    ..say::settle(&customer, &id, &quantity)
                })
            }
        }
    }

    fn apply(&mut self) -> Step {
        let id = format!("i{}", self.invoices.len());
        let due = self.rng.random_range(0..30).to_string();
        let apply = pb::ApplyCreditsRequest {
            applied_at: self.rng.random_bool(0.6).then(|| say::time(self.hours(-90, 0))),
            ..say::apply(&self.customer(), &id, "EUR", &due)
        };
        self.invoices.push(apply.clone());
        Step::Apply(apply)
    }

    /// A part, or all of what is left, of something of late that may have been refused.
    fn reverse(&mut self) -> Step {
        self.reversals += 1;
        let request_id = format!("b{}", self.reversals);
        let amount = match self.rng.random_range(0..3) {
            0 => String::new(),
            _ => self.rng.random_range(1..8).to_string(),
        };
        let (of, from) = (self.rng.random_range(0..3), self.rng.random_range(0..usize::MAX));
        match (of, &self.events[..], &self.invoices[..], &self.holds[..]) {
            (0, [_, ..], ..) => {
                let event = late(&self.events, from);
                let reverse = say::reverse_usage(&event.customer_id, &event.event_id, &amount);
                Step::ReverseUsage(pb::ReverseUsageRequest { request_id, ..reverse })
            }
            (1, _, _, [_, ..]) => {
                let hold = late(&self.holds, from);
                let reverse = say::reverse_usage(&hold.customer_id, &hold.hold_id, &amount);
                Step::ReverseUsage(pb::ReverseUsageRequest { request_id, ..reverse })
            }
            (_, _, [_, ..], _) => {
                let invoice = late(&self.invoices, from);
                let (customer, id) = (&invoice.customer_id, &invoice.invoice_id);
                let reverse = say::reverse_application(customer, id, &amount);
                Step::ReverseApplication(pb::ReverseCreditApplicationRequest {
                    request_id,
                    ..reverse
                })
            }
            _ => self.apply(),
        }
    }
}

/// One of the last few.
fn late<T>(all: &[T], number: usize) -> &T {
    let few = all.len().min(8);
    &all[all.len() - 1 - number % few]
}
