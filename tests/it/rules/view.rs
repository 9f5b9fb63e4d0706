//! What the naive model knows of one grant: its part of the facts, its status, its turn.

use super::naive::Fact;
use super::words::{Category, Create, Kind, Line, Micros, Scope, Status, View};

impl View {
    pub fn made(create: &Create, now: Micros, by: &str) -> Self {
        Self {
            grant: create.grant,
            sequence: 0,
            scope: create.scope.tidy(),
            amount: create.amount,
            priority: priority(create.priority, create.category),
            category: create.category,
            effective: create.effective.unwrap_or(now),
            expires: create.expires,
            description: create.notes.description.to_owned(),
            metadata: create.notes.metadata.to_owned(),
            remaining: 0,
            held: 0,
            consumed: 0,
            expired: 0,
            voided: 0,
            created: now,
            updated: now,
            created_by: by.to_owned(),
            voided_at: None,
            status: Status::Pending,
        }
    }

    pub fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Noted { description, metadata, .. } => {
                self.description.clone_from(description);
                self.metadata.clone_from(metadata);
            }
            Fact::Moved(line) => self.hear_line(line),
            _ => {}
        }
    }

    fn hear_line(&mut self, line: &Line) {
        self.remaining += line.amount;
        self.held += line.held_amount;
        match line.kind {
            Kind::Granted => self.sequence = line.sequence,
            Kind::Consumed | Kind::Applied | Kind::UsageReversed | Kind::ApplicationReversed => {
                self.consumed -= line.amount;
            }
            Kind::Held | Kind::Released => {}
            Kind::Expired | Kind::Reclaimed => self.expired -= line.amount,
            Kind::Voided => {
                self.voided -= line.amount;
                // What comes back later is voided as well, but the grant was voided once.
                let voided = || Some((line.recorded, line.reason.clone()?));
                self.voided_at = self.voided_at.take().or_else(voided);
            }
            Kind::Updated => {
                self.priority = line.priority.map_or(self.priority, |(_, new)| new);
                self.expires = line.expires.map_or(self.expires, |(_, new)| new);
            }
        }
    }

    pub fn ended(&self, at: Micros) -> bool {
        self.expires.is_some_and(|end| at >= end)
    }

    pub fn standing(&self, now: Micros) -> Status {
        match () {
            () if self.voided_at.is_some() => Status::Voided,
            () if self.remaining == 0 && self.expired == 0 => Status::Exhausted,
            () if self.ended(now) => Status::Expired,
            () if now < self.effective => Status::Pending,
            () => Status::Active,
        }
    }

    /// Its place in the published order, as a key to sort by.
    pub fn turn(&self) -> (i32, Micros, u8, Micros, Micros, i64) {
        let end = self.expires.unwrap_or(Micros::MAX);
        let open = u8::from(!matches!(self.scope, Scope::Metrics(_)));
        (self.priority, end, open, self.effective, self.created, self.sequence)
    }
}

pub fn pays_for(scope: &Scope, metric: &str) -> bool {
    match scope {
        Scope::Any => true,
        Scope::Metrics(names) => names.contains(&metric),
        Scope::Money(_) => false,
    }
}

pub fn priority(given: Option<i32>, category: Option<Category>) -> i32 {
    given.unwrap_or(match category {
        Some(Category::Service) => 5,
        Some(Category::Promotional) => 10,
        Some(Category::Loyalty) => 25,
        Some(Category::Purchased) | None => 50,
    })
}
