//! A second model of the rules, written from product.md alone: slow, simple, and without a look
//! at the domain. It keeps a list of facts and works everything else out of it, every time.

use super::view::{pays_for, priority};
use super::words::{
    Balance, Call, Create, Event, Kind, Line, MINUTE, Micros, No, Part, Reply, Said, Scope, Status,
    Total, Update, Usage, View, Void, Windows,
};

/// Something that happened. Facts are only ever added.
#[derive(Debug, Clone)]
pub enum Fact {
    Made { create: Create, now: Micros, by: &'static str },
    Moved(Line),
    Noted { grant: u32, description: String, metadata: String, now: Micros },
    Used(Event),
}

#[derive(Debug, Clone)]
pub struct Naive {
    windows: Windows,
    facts: Vec<Fact>,
}

/// Why, by whom and when something moves.
struct Why<'a> {
    event: Option<u8>,
    actor: &'a str,
    occurred: Micros,
    recorded: Micros,
}

impl Naive {
    pub fn new(windows: Windows) -> Self {
        Self { windows, facts: Vec::new() }
    }

    pub fn lines(&self) -> Vec<Line> {
        let line =
            |fact: &Fact| if let Fact::Moved(line) = fact { Some(line.clone()) } else { None };
        self.facts.iter().filter_map(line).collect()
    }

    /// The model as it was at an instant: what was recorded later is forgotten.
    pub fn recorded_by(&self, at: Micros) -> Self {
        let recorded = |fact: &&Fact| match fact {
            Fact::Made { now, .. } | Fact::Noted { now, .. } => *now <= at,
            Fact::Moved(line) => line.recorded <= at,
            Fact::Used(event) => event.recorded <= at,
        };
        Self { windows: self.windows, facts: self.facts.iter().filter(recorded).cloned().collect() }
    }

    fn revision(&self) -> i64 {
        self.facts.iter().map(|fact| i64::from(matches!(fact, Fact::Moved(_)))).sum()
    }

    /// The last instant at which something was recorded.
    fn last_recorded(&self) -> Option<Micros> {
        let recorded = self.facts.iter().map(|fact| match fact {
            Fact::Made { now, .. } | Fact::Noted { now, .. } => *now,
            Fact::Moved(line) => line.recorded,
            Fact::Used(event) => event.recorded,
        });
        recorded.max()
    }

    /// Moves time to `clock`, or to the last recorded instant if that is later, booking every
    /// expiry on the way, one after another. Returns where it stands.
    pub fn pass(&mut self, clock: Micros) -> Micros {
        let now = self.last_recorded().map_or(clock, |last| last.max(clock));
        loop {
            let views = self.views(now);
            let due = views.iter().filter(|view| view.remaining > 0 && view.ended(now));
            let Some(first) = due.min_by_key(|view| (view.expires, view.sequence)) else {
                return now;
            };
            let Some(instant) = first.expires else { return now };
            let recorded = self.last_recorded().map_or(instant, |last| last.max(instant));
            let why = Why { event: None, actor: "creditd", occurred: instant, recorded };
            self.moved(first.grant, Kind::Expired, -first.remaining, &why);
        }
    }

    /// Answers a call at the instant that [`Naive::pass`] returned.
    pub fn answer(&mut self, said: &Said, now: Micros) -> Reply {
        let answer = match &said.call {
            Call::Create(create) => self.create(create, said.actor, now),
            Call::Update(update) => self.update(update, said.actor, now),
            Call::Void(void) => self.void(void, said.actor, now),
            Call::Usage(usage) => self.usage(usage, said.actor, now),
            Call::Sweep => Ok(Reply::Swept),
        };
        answer.unwrap_or_else(Reply::Refused)
    }

    fn create(&mut self, create: &Create, by: &'static str, now: Micros) -> Result<Reply, No> {
        let made = self.facts.iter().find_map(|fact| match fact {
            Fact::Made { create: made, .. } if made.key == create.key => Some(made.clone()),
            _ => None,
        });
        if let Some(made) = made {
            if !same_create(&made, create) {
                return Err(No::RequestIdReused);
            }
            return Ok(Reply::Grant { view: self.view(made.grant, now)?, replayed: true });
        }
        let begins = create.effective.unwrap_or(now);
        if create.expires.is_some_and(|end| end <= now || end <= begins) {
            return Err(No::BadExpiry);
        }
        self.facts.push(Fact::Made { create: create.clone(), now, by });
        let why = Why { event: None, actor: by, occurred: now, recorded: now };
        self.moved(create.grant, Kind::Granted, create.amount, &why);
        Ok(Reply::Grant { view: self.view(create.grant, now)?, replayed: false })
    }

    fn update(&mut self, update: &Update, by: &'static str, now: Micros) -> Result<Reply, No> {
        let old = self.view(update.grant, now)?;
        let priority = update.priority.map_or(old.priority, |new| priority(new, old.category));
        let expires = update.expires.unwrap_or(old.expires);
        let description = update.description.unwrap_or(&old.description).to_owned();
        let metadata = update.metadata.unwrap_or(&old.metadata).to_owned();
        let rules = priority != old.priority || expires != old.expires;
        let notes = description != old.description || metadata != old.metadata;
        if rules && matches!(old.status, Status::Voided | Status::Expired) {
            return Err(No::GrantNotActive);
        }
        let moves = expires != old.expires;
        if moves && expires.is_some_and(|end| end <= now || end <= old.effective) {
            return Err(No::BadExpiry);
        }
        if rules {
            let why = Why { event: None, actor: by, occurred: now, recorded: now };
            let mut line = self.line(update.grant, Kind::Updated, 0, &why);
            line.priority = (priority != old.priority).then_some((old.priority, priority));
            line.expires = moves.then_some((old.expires, expires));
            self.facts.push(Fact::Moved(line));
        }
        if notes {
            self.facts.push(Fact::Noted { grant: update.grant, description, metadata, now });
        }
        Ok(Reply::Grant { view: self.view(update.grant, now)?, replayed: false })
    }

    fn void(&mut self, void: &Void, by: &'static str, now: Micros) -> Result<Reply, No> {
        let view = self.view(void.grant, now)?;
        match view.status {
            Status::Voided => return Ok(Reply::Grant { view, replayed: true }),
            Status::Exhausted | Status::Expired => return Err(No::GrantNotActive),
            Status::Pending | Status::Active => {}
        }
        let why = Why { event: None, actor: by, occurred: now, recorded: now };
        let mut line = self.line(void.grant, Kind::Voided, -view.remaining, &why);
        line.reason = Some(void.reason.to_owned());
        self.facts.push(Fact::Moved(line));
        Ok(Reply::Grant { view: self.view(void.grant, now)?, replayed: false })
    }

    fn usage(&mut self, usage: &Usage, by: &'static str, now: Micros) -> Result<Reply, No> {
        let before = self.facts.iter().find_map(|fact| match fact {
            Fact::Used(event) if event.usage.event == usage.event => Some(event.clone()),
            _ => None,
        });
        if let Some(event) = before {
            if !same_usage(&event.usage, usage) {
                return Err(No::EventIdReused);
            }
            return Ok(Reply::Usage { event, duplicate: true });
        }
        let at = usage.at.unwrap_or(now);
        if at > now + 5 * MINUTE || at < now - self.windows.max_event_age {
            return Err(No::OutOfWindow);
        }
        let shares = self.shares(usage, at, now);
        let available: i128 = shares.iter().map(|share| share.1).sum();
        if usage.reject && available < usage.quantity {
            return Err(No::Insufficient { requested: usage.quantity, available });
        }
        let why = Why { event: Some(usage.event), actor: by, occurred: at, recorded: now };
        let first = self.revision() + 1;
        for (view, take) in &shares {
            if view.ended(now) {
                self.moved(view.grant, Kind::Reclaimed, *take, &why);
            }
            self.moved(view.grant, Kind::Consumed, -take, &why);
        }
        let event = Event {
            usage: usage.clone(),
            at,
            uncovered: usage.quantity - available,
            reversed: 0,
            paid: shares.iter().map(|(view, take)| (view.grant, *take)).collect(),
            lines: (!shares.is_empty()).then(|| (first, self.revision())),
            recorded: now,
        };
        self.facts.push(Fact::Used(event.clone()));
        Ok(Reply::Usage { event, duplicate: false })
    }

    /// Who pays how much of an event, in the order of consumption.
    fn shares(&self, usage: &Usage, at: Micros, now: Micros) -> Vec<(View, i128)> {
        let mut views = self.views(now);
        views.retain(|view| pays_for(&view.scope, usage.metric));
        views.retain(|view| view.voided_at.is_none() && view.effective <= at && !view.ended(at));
        views.sort_by_key(View::turn);
        let mut wanted = usage.quantity;
        let mut shares = Vec::new();
        for view in views {
            let has = match view.expires {
                Some(end) if end <= now && now - end < self.windows.late_usage => view.expired,
                Some(end) if end <= now => 0,
                _ => view.remaining,
            };
            let take = has.min(wanted);
            if take > 0 {
                wanted -= take;
                shares.push((view, take));
            }
        }
        shares
    }

    fn moved(&mut self, grant: u32, kind: Kind, amount: i128, why: &Why<'_>) {
        let line = self.line(grant, kind, amount, why);
        self.facts.push(Fact::Moved(line));
    }

    fn line(&self, grant: u32, kind: Kind, amount: i128, why: &Why<'_>) -> Line {
        let earlier: i128 =
            self.lines().iter().filter(|line| line.grant == grant).map(|line| line.amount).sum();
        Line {
            sequence: self.revision() + 1,
            grant,
            kind,
            amount,
            balance_after: earlier + amount,
            held_amount: 0,
            held_after: 0,
            event: why.event,
            reason: None,
            priority: None,
            expires: None,
            actor: why.actor.to_owned(),
            occurred: why.occurred,
            recorded: why.recorded,
        }
    }

    fn view(&self, grant: u32, now: Micros) -> Result<View, No> {
        self.views(now).into_iter().find(|view| view.grant == grant).ok_or(No::GrantNotFound)
    }

    /// Every grant there ever was, told from the facts.
    pub fn views(&self, now: Micros) -> Vec<View> {
        let mut views: Vec<View> = Vec::new();
        for fact in &self.facts {
            let (grant, at) = match fact {
                Fact::Made { create, now, by } => {
                    views.push(View::made(create, *now, by));
                    continue;
                }
                Fact::Used(_) => continue,
                Fact::Moved(line) => (line.grant, line.recorded),
                Fact::Noted { grant, now, .. } => (*grant, *now),
            };
            for view in views.iter_mut().filter(|view| view.grant == grant) {
                view.hear(fact);
                view.updated = view.updated.max(at);
            }
        }
        for view in &mut views {
            view.status = view.standing(now);
        }
        views
    }

    /// The balance as any reader gets it at `clock`; reading books nothing.
    pub fn balance(&self, clock: Micros) -> Balance {
        let mut then = self.clone();
        let now = then.pass(clock);
        let mut views = then.views(now);
        views.retain(|view| matches!(view.status, Status::Active | Status::Pending));
        views.sort_by_key(View::turn);
        let live: Vec<&View> = views.iter().filter(|view| view.status == Status::Active).collect();
        let mut scopes: Vec<Scope> = live.iter().map(|view| view.scope.clone()).collect();
        scopes.sort();
        scopes.dedup();
        let total = |scope: Scope| {
            let sum: i128 =
                live.iter().filter(|view| view.scope == scope).map(|view| view.remaining).sum();
            Total { scope, available: sum, held: 0, remaining: sum }
        };
        let part = |view: &View| Part {
            grant: view.grant,
            status: view.status,
            available: if view.status == Status::Active { view.remaining } else { 0 },
            remaining: view.remaining,
        };
        let mut upcoming: Vec<(u32, Micros, i128)> = views
            .iter()
            .filter_map(|view| view.expires.map(|end| (view.grant, end, view.remaining)))
            .collect();
        upcoming.sort_by_key(|(_, end, _)| *end);
        Balance {
            revision: then.revision(),
            as_of: now,
            totals: scopes.into_iter().map(total).collect(),
            parts: views.iter().map(part).collect(),
            upcoming,
        }
    }
}

/// An omitted timestamp agrees with any.
fn agree(a: Option<Micros>, b: Option<Micros>) -> bool {
    a.is_none() || b.is_none() || a == b
}

fn same_create(a: &Create, b: &Create) -> bool {
    a.scope.tidy() == b.scope.tidy()
        && a.amount == b.amount
        && priority(a.priority, a.category) == priority(b.priority, b.category)
        && a.category == b.category
        && agree(a.effective, b.effective)
        && a.expires == b.expires
        && a.notes == b.notes
}

fn same_usage(a: &Usage, b: &Usage) -> bool {
    let timeless = |usage: &Usage| Usage { at: None, ..usage.clone() };
    timeless(a) == timeless(b) && agree(a.at, b.at)
}
