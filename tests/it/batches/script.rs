//! Random commands of every kind.

use chrono::{DateTime, TimeDelta, Utc};
use creditd::domain::amount::Amount;
use creditd::domain::command::{
    Action, ApplyCredits, Command, CreateGrant, CreateHold, ExtendHold, Key, RecordUsage,
    ReverseApplication, ReverseUsage, SettleHold, UpdateGrant, VoidGrant,
};
use creditd::domain::currency::Currency;
use creditd::domain::grant::{Category, Metadata, Notes, Priority, Scope};
use creditd::domain::ids::{Customer, EventId, GrantId, HoldId, InvoiceId, Metric, RequestId};
use creditd::domain::usage::Uncovered;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::{command, customer, metric, request, row};
use crate::harness::t0;

const CUSTOMERS: u32 = 20;

/// Random commands: the same seed, the same commands, ids included.
pub struct Script {
    pub rng: StdRng,
    pub now: DateTime<Utc>,
    /// Commands with keys of their own, of each kind.
    made: Vec<Command>,
    used: Vec<Command>,
    held: Vec<Command>,
    billed: Vec<Command>,
    reversed: Vec<Command>,
}

impl Script {
    pub fn new(seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        let [made, used, held, billed, reversed] = [const { Vec::new() }; 5];
        Self { rng, now: t0(), made, used, held, billed, reversed }
    }

    pub fn next(&mut self) -> Command {
        match self.rng.random_range(0..100) {
            0..16 => self.create(),
            16..46 => self.usage(),
            46..54 => self.update(),
            54..60 => self.void(),
            60..72 => self.hold(),
            72..82 => self.end_of_hold(),
            82..90 => self.apply(),
            _ => self.reverse(),
        }
    }

    fn customer(&mut self) -> Customer {
        customer(self.rng.random_range(0..CUSTOMERS))
    }

    fn amount(&mut self, most: i128) -> Amount {
        // Tenths, so that sums meet exactly now and then.
        Amount::from_units(self.rng.random_range(1..=most * 10) * 10_i128.pow(11))
    }

    fn metric(&mut self) -> Metric {
        metric(["tokens", "minutes"][self.rng.random_range(0..2)])
    }

    fn hours(&mut self, from: i64, to: i64) -> DateTime<Utc> {
        self.now + TimeDelta::minutes(self.rng.random_range(from * 60..=to * 60))
    }

    /// Often none, sometimes out of its window.
    fn timestamp(&mut self) -> Option<DateTime<Utc>> {
        match self.rng.random_range(0..10) {
            0..4 => None,
            4..9 => Some(self.hours(-80, 0)),
            _ => Some(self.hours(-900, 1)),
        }
    }

    /// An earlier command, often one of late, that it may come twice in a batch.
    fn earlier(&mut self, of: fn(&Self) -> &Vec<Command>) -> Option<Command> {
        let all = of(self).len();
        if all == 0 {
            return None;
        }
        let late = if self.rng.random_bool(0.5) { all.saturating_sub(3) } else { 0 };
        let number = self.rng.random_range(late..all);
        Some(of(self)[number].clone())
    }

    /// An earlier command again, now and then with another payload.
    fn again(&mut self, of: fn(&Self) -> &Vec<Command>) -> Option<Command> {
        let mut command = self.earlier(of)?;
        if self.rng.random_bool(0.5) {
            let (amount, customer) = (self.amount(9), self.customer());
            match &mut command.action {
                Action::CreateGrant(create) => match &create.key {
                    // A row names what it made among all customers.
                    Key::Import(_) if self.rng.random_bool(0.7) => command.customer = customer,
                    _ => create.amount = amount,
                },
                Action::RecordUsage(usage) => usage.quantity = amount,
                Action::CreateHold(hold) => hold.quantity = amount,
                Action::ApplyCredits(apply) => apply.amount_due = amount,
                Action::ReverseUsage(reverse) => reverse.quantity = Some(amount),
                Action::ReverseApplication(reverse) => reverse.amount = Some(amount),
                other => panic!("no key: {other:?}"),
            }
        }
        Some(command)
    }

    fn create(&mut self) -> Command {
        if self.rng.random_bool(0.25)
            && let Some(again) = self.again(|script| &script.made)
        {
            return again;
        }
        let category = [None, Some(Category::Promotional), Some(Category::Loyalty)]
            [self.rng.random_range(0..3)];
        let metrics = (0..self.rng.random_range(0..3)).map(|_| self.metric()).collect();
        let scope =
            if self.rng.random_bool(0.3) { Scope::Money(dollars()) } else { Scope::units(metrics) };
        let create = CreateGrant {
            key: if self.rng.random_bool(0.4) {
                row("file", self.made.len())
            } else {
                request(self.made.len())
            },
            grant_id: GrantId(Uuid::from_u128(self.rng.random())),
            scope,
            amount: self.amount(40),
            priority: Priority::of_category(category),
            category,
            effective_at: self.rng.random_bool(0.5).then(|| self.hours(-90, 10)),
            expires_at: self.rng.random_bool(0.6).then(|| self.hours(-1, 60)),
            notes: Notes::default(),
        };
        let command = command(&self.customer(), Action::CreateGrant(Box::new(create)));
        self.made.push(command.clone());
        command
    }

    fn usage(&mut self) -> Command {
        if self.rng.random_bool(0.15)
            && let Some(again) = self.again(|script| &script.used)
        {
            return again;
        }
        let reject = self.rng.random_bool(0.3);
        let usage = RecordUsage {
            event_id: id(EventId::parse, &format!("e{}", self.used.len())),
            metric: self.metric(),
            quantity: self.amount(15),
            timestamp: self.timestamp(),
            policy: if reject { Uncovered::Reject } else { Uncovered::AllowOverage },
            metadata: Metadata::new(),
        };
        let command = command(&self.customer(), Action::RecordUsage(Box::new(usage)));
        self.used.push(command.clone());
        command
    }

    fn hold(&mut self) -> Command {
        if self.rng.random_bool(0.15)
            && let Some(again) = self.again(|script| &script.held)
        {
            return again;
        }
        let hold = CreateHold {
            hold_id: id(HoldId::parse, &format!("h{}", self.held.len())),
            metric: self.metric(),
            quantity: self.amount(15),
            ttl: TimeDelta::minutes(self.rng.random_range(1..=1_440)),
            allow_partial: self.rng.random_bool(0.5),
        };
        let command = command(&self.customer(), Action::CreateHold(Box::new(hold)));
        self.held.push(command.clone());
        command
    }

    /// Of a hold that was asked for, whatever became of it.
    fn end_of_hold(&mut self) -> Command {
        let Some(asked) = self.earlier(|script| &script.held) else { return self.hold() };
        let Action::CreateHold(hold) = asked.action else { panic!("no hold") };
        let (hold_id, ttl) = (hold.hold_id, TimeDelta::minutes(self.rng.random_range(1..=1_440)));
        let end = match self.rng.random_range(0..10) {
            0..2 => Action::ExtendHold(Box::new(ExtendHold { hold_id, ttl })),
            2..4 => Action::ReleaseHold(hold_id),
            _ => {
                // Now and then by another event than before.
                let event = if self.rng.random_bool(0.8) { "s" } else { "e" };
                let event_id = format!("{event}{}", hold_id.as_str());
                Action::SettleHold(Box::new(SettleHold {
                    event_id: id(EventId::parse, &event_id),
                    hold_id,
                    quantity: if self.rng.random_bool(0.5) {
                        self.amount(15)
                    } else {
                        hold.quantity
                    },
                    timestamp: self.timestamp(),
                }))
            }
        };
        command(&asked.customer, end)
    }

    fn apply(&mut self) -> Command {
        if self.rng.random_bool(0.15)
            && let Some(again) = self.again(|script| &script.billed)
        {
            return again;
        }
        let apply = ApplyCredits {
            invoice_id: id(InvoiceId::parse, &format!("i{}", self.billed.len())),
            currency: dollars(),
            amount_due: self.amount(30),
            applied_at: self.timestamp(),
        };
        let command = command(&self.customer(), Action::ApplyCredits(Box::new(apply)));
        self.billed.push(command.clone());
        command
    }

    /// Of usage, of a settlement, or of an application that was asked for.
    fn reverse(&mut self) -> Command {
        if self.rng.random_bool(0.2)
            && let Some(again) = self.again(|script| &script.reversed)
        {
            return again;
        }
        let of: [fn(&Self) -> &Vec<Command>; 3] =
            [|script| &script.used, |script| &script.held, |script| &script.billed];
        let of = of[self.rng.random_range(0..3)];
        let Some(asked) = self.earlier(of) else { return self.apply() };
        let request_id = id(RequestId::parse, &format!("b{}", self.reversed.len()));
        let quantity = self.rng.random_bool(0.7).then(|| self.amount(8));
        let reason = "chance".into();
        let event = |event_id, request_id, reason| {
            Action::ReverseUsage(Box::new(ReverseUsage { request_id, event_id, quantity, reason }))
        };
        let action = match asked.action {
            Action::RecordUsage(usage) => event(usage.event_id, request_id, reason),
            Action::CreateHold(hold) => {
                let event_id = format!("s{}", hold.hold_id.as_str());
                event(id(EventId::parse, &event_id), request_id, reason)
            }
            Action::ApplyCredits(apply) => {
                let invoice_id = apply.invoice_id;
                let amount = quantity;
                let reverse = ReverseApplication { request_id, invoice_id, amount, reason };
                Action::ReverseApplication(Box::new(reverse))
            }
            other => panic!("nothing to reverse: {other:?}"),
        };
        let command = command(&asked.customer, action);
        self.reversed.push(command.clone());
        command
    }

    /// One of the grants, or none that exists.
    fn grant(&mut self) -> (Customer, GrantId) {
        if self.made.is_empty() || self.rng.random_bool(0.05) {
            return (self.customer(), GrantId(Uuid::from_u128(self.rng.random())));
        }
        let made = &self.made[self.rng.random_range(0..self.made.len())];
        match &made.action {
            Action::CreateGrant(create) => (made.customer.clone(), create.grant_id),
            other => panic!("no grant: {other:?}"),
        }
    }

    fn update(&mut self) -> Command {
        let (customer, grant_id) = self.grant();
        let number = self.rng.random_range(0..100);
        let update = UpdateGrant {
            grant_id,
            description: self.rng.random_bool(0.4).then(|| format!("number {number}")),
            metadata: None,
            priority: self.rng.random_bool(0.5).then(|| Priority::new(number)),
            expires_at: match self.rng.random_range(0..4) {
                0 => Some(Some(self.hours(-2, 50))),
                1 => Some(None),
                _ => None,
            },
        };
        command(&customer, Action::UpdateGrant(Box::new(update)))
    }

    fn void(&mut self) -> Command {
        let (customer, grant_id) = self.grant();
        let void = VoidGrant { grant_id, reason: "chance".into() };
        command(&customer, Action::VoidGrant(Box::new(void)))
    }
}

fn dollars() -> Currency {
    Currency::from_code("USD").expect("a currency")
}

fn id<T, E: std::fmt::Debug>(parse: fn(&str) -> Result<T, E>, text: &str) -> T {
    parse(text).expect("an id")
}
