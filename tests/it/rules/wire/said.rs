//! The model's calls as requests.

use chrono::TimeDelta;
use creditd::pb;
use prost_types::Timestamp;
use tonic::Status;

use super::super::naive::smallest;
use super::super::words::{
    Apply, Aside, Call, Category, Create, Extend, Micros, ONE, Of, Reply, Reverse, Scope, Settle,
    Update, Usage, Void,
};
use super::{Wire, told};
use crate::harness::say;

const LARGEST: i128 = 1000 * ONE * ONE;

/// Whether the fields alone are right: what is wrong with them is a matter of other tests.
pub(super) fn can_be_sent(call: &Call) -> bool {
    match call {
        Call::Create(create) => {
            let ends = create.effective.zip(create.expires);
            create.amount <= LARGEST && ends.is_none_or(|(from, to)| from < to)
        }
        Call::Update(update) => {
            let Update { description, metadata, priority, expires, .. } = update;
            description.is_some() || metadata.is_some() || priority.is_some() || expires.is_some()
        }
        Call::Usage(usage) => usage.quantity <= LARGEST,
        Call::Apply(apply) => apply.due <= LARGEST && apply.due % smallest(apply.currency) == 0,
        Call::Aside(aside) => aside.quantity <= LARGEST,
        Call::Settle(settle) => settle.quantity <= LARGEST,
        Call::Reverse(reverse) => reverse.amount.is_none_or(|amount| amount <= LARGEST),
        Call::Void(_) | Call::Extend(_) | Call::Release(_) | Call::Sweep => true,
    }
}

/// An amount as callers like to write it.
fn amount(units: i128) -> String {
    format!("{}.{:012}", units / ONE, units % ONE)
}

/// An amount of money, with no more decimals than its currency has.
fn money(units: i128, currency: &str) -> String {
    let digits = match currency {
        "USD" => 2,
        "KWD" => 3,
        _ => return (units / ONE).to_string(),
    };
    let text = amount(units);
    text[..text.len() - (12 - digits)].to_owned()
}

impl Wire {
    /// Makes the call, and gives the answer in the model's words.
    pub(super) async fn ask(&mut self, call: &Call) -> Reply {
        let answer = match call {
            Call::Create(create) => self.create(create).await,
            Call::Update(update) => self.update(update).await,
            Call::Void(void) => self.void(void).await,
            Call::Usage(usage) => self.usage(usage).await,
            Call::Apply(apply) => self.apply(apply).await,
            Call::Aside(aside) => self.aside(aside).await,
            Call::Extend(extend) => self.extend(*extend).await,
            Call::Settle(settle) => self.settle(settle).await,
            Call::Release(hold) => self.release(*hold).await,
            Call::Reverse(reverse) => self.reverse(reverse).await,
            Call::Sweep => Ok(Reply::Swept),
        };
        answer.unwrap_or_else(|status| Reply::Refused(told::no(&status)))
    }

    fn at(&self, at: Option<Micros>) -> Option<Timestamp> {
        at.map(|at| self.instant(at))
    }

    /// The id of a grant; that of one never made belongs to nobody.
    fn id(&self, grant: u32) -> String {
        self.ids.get(&grant).cloned().unwrap_or_else(|| uuid::Uuid::from_u128(1).to_string())
    }

    async fn create(&mut self, create: &Create) -> Result<Reply, Status> {
        let customer = &self.customer;
        let request = match &create.scope {
            Scope::Money(currency) => {
                say::money(customer, &money(create.amount, currency), currency)
            }
            Scope::Metrics(names) => pb::CreateGrantRequest {
                metrics: say::names(names),
                ..say::units(customer, &amount(create.amount))
            },
            Scope::Any => say::units(customer, &amount(create.amount)),
        };
        let category = match create.category {
            None => pb::GrantCategory::Unspecified,
            Some(Category::Promotional) => pb::GrantCategory::Promotional,
            Some(Category::Purchased) => pb::GrantCategory::Purchased,
            Some(Category::Loyalty) => pb::GrantCategory::Loyalty,
            Some(Category::Service) => pb::GrantCategory::Service,
        };
        let request = pb::CreateGrantRequest {
            request_id: create.key.to_string(),
            priority: create.priority,
            category: category.into(),
            effective_at: self.at(create.effective),
            expires_at: self.at(create.expires),
            description: create.notes.description.to_owned(),
            metadata: notes(create.notes.metadata),
            ..request
        };
        let made = self.client.try_grant(request).await?;
        let grant = made.grant.expect("a grant");
        if !made.replayed {
            self.ids.insert(create.grant, grant.id.clone());
        }
        Ok(Reply::Grant { view: self.told().view(&grant), replayed: made.replayed })
    }

    async fn update(&self, update: &Update) -> Result<Reply, Status> {
        let named = [
            ("description", update.description.is_some()),
            ("metadata", update.metadata.is_some()),
            ("priority", update.priority.is_some()),
            ("expires_at", update.expires.is_some()),
        ];
        let paths: Vec<&str> =
            named.into_iter().filter_map(|(path, named)| named.then_some(path)).collect();
        let request = pb::UpdateGrantRequest {
            description: update.description.unwrap_or_default().to_owned(),
            metadata: notes(update.metadata.unwrap_or_default()),
            priority: update.priority.flatten(),
            expires_at: self.at(update.expires.flatten()),
            ..say::update(&self.id(update.grant), &paths)
        };
        let grant = self.client.try_update(request).await?;
        Ok(Reply::Grant { view: self.told().view(&grant), replayed: false })
    }

    async fn void(&self, void: &Void) -> Result<Reply, Status> {
        let grant = self.client.try_void(&self.id(void.grant), void.reason).await?;
        Ok(Reply::Grant { view: self.told().view(&grant), replayed: false })
    }

    async fn usage(&self, usage: &Usage) -> Result<Reply, Status> {
        let (event, quantity) = (usage.event.to_string(), amount(usage.quantity));
        let policy = if usage.reject {
            pb::InsufficientCredits::Reject
        } else {
            pb::InsufficientCredits::Unspecified
        };
        let request = pb::RecordUsageRequest {
            timestamp: self.at(usage.at),
            insufficient_credits: policy.into(),
            metadata: notes(usage.metadata),
            ..say::usage(&self.customer, &event, usage.metric, &quantity)
        };
        let recorded = self.client.try_record(request).await?;
        let event = self.told().event(&recorded.event.expect("an event"));
        Ok(Reply::Usage { event, duplicate: recorded.duplicate })
    }

    async fn apply(&self, apply: &Apply) -> Result<Reply, Status> {
        let due = money(apply.due, apply.currency);
        let invoice = apply.invoice.to_string();
        let request = pb::ApplyCreditsRequest {
            applied_at: self.at(apply.at),
            ..say::apply(&self.customer, &invoice, apply.currency, &due)
        };
        let sure = pb::ApplyCreditsRequest { validate_only: true, ..request.clone() };
        let sure = self.client.try_apply(sure).await;
        let made = self.client.try_apply(request).await?;
        assert_eq!(sure.expect("what the call itself answers"), made);
        let application = self.told().application(&made.application.expect("an application"));
        Ok(Reply::Application { application, replayed: made.replayed })
    }

    async fn aside(&self, aside: &Aside) -> Result<Reply, Status> {
        let (hold, quantity) = (aside.hold.to_string(), amount(aside.quantity));
        let request = pb::CreateHoldRequest {
            ttl: aside.ttl.and_then(|ttl| say::duration(TimeDelta::microseconds(ttl))),
            allow_partial: aside.partial,
            ..say::hold(&self.customer, &hold, aside.metric, &quantity)
        };
        let made = self.client.try_hold(request).await?;
        let hold = self.told().hold(&made.hold.expect("a hold"));
        Ok(Reply::Hold { hold, replayed: made.replayed })
    }

    async fn extend(&self, extend: Extend) -> Result<Reply, Status> {
        let (hold, ttl) = (extend.hold.to_string(), TimeDelta::microseconds(extend.ttl));
        let request = say::extend(&self.customer, &hold, ttl);
        let hold = self.client.try_extend(request).await?;
        Ok(Reply::Hold { hold: self.told().hold(&hold), replayed: false })
    }

    async fn settle(&self, settle: &Settle) -> Result<Reply, Status> {
        let (hold, quantity) = (settle.hold.to_string(), amount(settle.quantity));
        // An event that is called like its hold needs no name.
        let event = (settle.event != settle.hold).then(|| settle.event.to_string());
        let request = pb::SettleHoldRequest {
            event_id: event.unwrap_or_default(),
            timestamp: self.at(settle.at),
            ..say::settle(&self.customer, &hold, &quantity)
        };
        let (hold, event) = self.client.try_settle(request).await?;
        Ok(Reply::Settled { hold: self.told().hold(&hold), event: self.told().event(&event) })
    }

    async fn release(&self, hold: u8) -> Result<Reply, Status> {
        let hold = self.client.try_release(&self.customer, &hold.to_string()).await?;
        Ok(Reply::Hold { hold: self.told().hold(&hold), replayed: false })
    }

    async fn reverse(&self, reverse: &Reverse) -> Result<Reply, Status> {
        let (told, customer) = (self.told(), &self.customer);
        let back = reverse.amount.map_or_else(String::new, amount);
        let back = back.trim_end_matches('0').trim_end_matches('.');
        let (request_id, reason) = (reverse.key.to_string(), reverse.reason.to_owned());
        match reverse.of {
            Of::Event(event) => {
                let request = say::reverse_usage(customer, &event.to_string(), back);
                let request = pb::ReverseUsageRequest { request_id, reason, ..request };
                let reversed = self.client.try_reverse_usage(request).await?;
                Ok(told.usage_reversed(reversed))
            }
            Of::Invoice(invoice) => {
                let request = say::reverse_application(customer, &invoice.to_string(), back);
                let request = pb::ReverseCreditApplicationRequest { request_id, reason, ..request };
                let reversed = self.client.try_reverse_application(request).await?;
                Ok(told.application_reversed(reversed))
            }
        }
    }
}

fn notes(metadata: &str) -> std::collections::BTreeMap<String, String> {
    if metadata.is_empty() { say::pairs(&[]) } else { say::pairs(&[("note", metadata)]) }
}
