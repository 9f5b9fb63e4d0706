//! A second model of the rules, written from product.md and the contract alone: slow, simple, and
//! without a look at the domain. It keeps a list of facts and works everything else out of it,
//! every time.

mod grants;
mod holds;
mod reads;
mod reversals;
mod spending;

pub use self::reversals::smallest;
use super::words::{
    Apply, Aside, Call, Create, HoldStatus, Kind, Line, Micros, No, Reply, Reverse, Reversed, Said,
    Usage, View, Windows,
};

/// Something that happened. Facts are only ever added.
#[derive(Debug, Clone)]
pub enum Fact {
    Made { create: Create, now: Micros, by: &'static str },
    Moved(Line),
    Noted { grant: u32, description: String, metadata: String, now: Micros },
    Used { usage: Usage, hold: Option<u8>, at: Micros, now: Micros },
    Applied { apply: Apply, at: Micros, now: Micros },
    SetAside { aside: Aside, now: Micros },
    Extended { hold: u8, deadline: Micros, now: Micros },
    Ended { hold: u8, how: HoldStatus, event: Option<u8>, now: Micros },
    Reversed { reverse: Reverse, amount: i128, did: Reversed, now: Micros },
}

impl Fact {
    fn recorded(&self) -> Micros {
        match self {
            Self::Moved(line) => line.recorded,
            Self::Made { now, .. }
            | Self::Noted { now, .. }
            | Self::Used { now, .. }
            | Self::Applied { now, .. }
            | Self::SetAside { now, .. }
            | Self::Extended { now, .. }
            | Self::Ended { now, .. }
            | Self::Reversed { now, .. } => *now,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Naive {
    windows: Windows,
    facts: Vec<Fact>,
}

/// Why, by whom and when something moves.
#[derive(Debug, Clone)]
struct Why<'a> {
    event: Option<u8>,
    invoice: Option<u8>,
    hold: Option<u8>,
    reason: Option<&'a str>,
    actor: &'a str,
    occurred: Micros,
    recorded: Micros,
}

impl<'a> Why<'a> {
    /// Because somebody called.
    fn called(actor: &'a str, now: Micros) -> Self {
        let (event, invoice, hold, reason) = (None, None, None, None);
        Self { event, invoice, hold, reason, actor, occurred: now, recorded: now }
    }
}

/// What falls due.
enum Due {
    Hold(u8),
    Grant { grant: u32, free: i128 },
}

impl Naive {
    pub fn new(windows: Windows) -> Self {
        Self { windows, facts: Vec::new() }
    }

    fn ledger(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Moved(line) => Some(line),
            _ => None,
        })
    }

    pub fn lines(&self) -> Vec<Line> {
        self.ledger().cloned().collect()
    }

    /// The model as it was at an instant: what was recorded later is forgotten.
    pub fn recorded_by(&self, at: Micros) -> Self {
        let known = self.facts.iter().filter(|fact| fact.recorded() <= at);
        Self { windows: self.windows, facts: known.cloned().collect() }
    }

    fn revision(&self) -> i64 {
        self.ledger().map(|_| 1).sum()
    }

    /// Moves time to `clock`, or to the last recorded instant if that is later, booking on the way
    /// whatever falls due, one after another. Returns where it stands.
    pub fn pass(&mut self, clock: Micros) -> Micros {
        let last = self.facts.iter().map(Fact::recorded).max();
        let now = last.map_or(clock, |last| last.max(clock));
        while let Some((instant, due)) = self.first_due(now) {
            let why = Why::called("creditd", instant);
            match due {
                Due::Hold(hold) => {
                    self.let_go(&self.held_by(hold, instant), hold, &why);
                    let (how, event) = (HoldStatus::Expired, None);
                    self.facts.push(Fact::Ended { hold, how, event, now: instant });
                }
                Due::Grant { grant, free } => self.moved(grant, Kind::Expired, -free, 0, &why),
            }
        }
        now
    }

    /// Deadlines come before expiries of the same instant; deadlines by id, expiries as the grants
    /// were made.
    fn first_due(&self, now: Micros) -> Option<(Micros, Due)> {
        let mut due = Vec::new();
        for hold in self.holds() {
            if hold.status == HoldStatus::Open && hold.deadline <= now {
                let id = hold.aside.hold;
                due.push(((hold.deadline, 0, id.to_string(), 0), Due::Hold(id)));
            }
        }
        for view in self.views(now) {
            if let Some(end) = view.expires.filter(|end| *end <= now)
                && view.remaining > view.held
            {
                let View { grant, sequence, .. } = view;
                let free = view.remaining - view.held;
                due.push(((end, 1, String::new(), sequence), Due::Grant { grant, free }));
            }
        }
        let first = due.into_iter().min_by(|(a, _), (b, _)| a.cmp(b));
        first.map(|((instant, ..), due)| (instant, due))
    }

    /// Answers a call at the instant that [`Naive::pass`] returned.
    pub fn answer(&mut self, said: &Said, now: Micros) -> Reply {
        let by = said.actor;
        let answer = match &said.call {
            Call::Create(create) => self.create(create, by, now),
            Call::Update(update) => self.update(update, by, now),
            Call::Void(void) => self.void(void, by, now),
            Call::Usage(usage) => self.usage(usage, by, now),
            Call::Apply(apply) => self.apply(apply, by, now),
            Call::Aside(aside) => self.set_aside(aside, by, now),
            Call::Extend(extend) => self.extend(extend, now),
            Call::Settle(settle) => self.settle(settle, by, now),
            Call::Release(hold) => self.release(*hold, by, now),
            Call::Reverse(reverse) => self.reverse(reverse, by, now),
            Call::Sweep => Ok(Reply::Swept),
        };
        answer.unwrap_or_else(Reply::Refused)
    }

    fn moved(&mut self, grant: u32, kind: Kind, amount: i128, held: i128, why: &Why<'_>) {
        let line = self.line(grant, kind, amount, held, why);
        self.facts.push(Fact::Moved(line));
    }

    fn line(&self, grant: u32, kind: Kind, amount: i128, held: i128, why: &Why<'_>) -> Line {
        let earlier = || self.ledger().filter(|line| line.grant == grant);
        Line {
            sequence: self.revision() + 1,
            grant,
            kind,
            amount,
            balance_after: earlier().map(|line| line.amount).sum::<i128>() + amount,
            held_amount: held,
            held_after: earlier().map(|line| line.held_amount).sum::<i128>() + held,
            event: why.event,
            invoice: why.invoice,
            hold: why.hold,
            reason: why.reason.map(str::to_owned),
            priority: None,
            expires: None,
            actor: why.actor.to_owned(),
            occurred: why.occurred,
            recorded: why.recorded,
        }
    }

    /// What comes back to a grant that has ended is lost again: voided wins over expired.
    /// Whether it is lost.
    fn lose(&mut self, view: &View, amount: i128, ended: bool, why: &Why<'_>) -> bool {
        if view.voided_at.is_some() {
            self.moved(view.grant, Kind::Voided, -amount, 0, why);
        } else if ended {
            self.moved(view.grant, Kind::Expired, -amount, 0, why);
        }
        view.voided_at.is_some() || ended
    }

    /// Up to 5 minutes ahead, and so far behind as events may be.
    fn in_window(&self, at: Micros, now: Micros) -> Result<(), No> {
        let minute = super::words::MINUTE;
        let in_window = at <= now + 5 * minute && at >= now - self.windows.max_event_age;
        if in_window { Ok(()) } else { Err(No::OutOfWindow) }
    }
}

/// An omitted timestamp agrees with any.
fn agree(a: Option<Micros>, b: Option<Micros>) -> bool {
    a.is_none() || b.is_none() || a == b
}
