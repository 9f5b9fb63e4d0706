//! A second model of the rules, written from product.md and the contract alone: slow, simple, and
//! without a look at the domain. It keeps a list of facts and works everything else out of it,
//! every time.

mod grants;
mod holds;
mod news;
mod reads;
mod reversals;
mod spending;

pub use self::reversals::smallest;
use super::words::{
    Apply, Aside, Call, Create, HoldStatus, Kind, Line, Micros, News, No, Reply, Reverse, Reversed,
    Said, Status, Threshold, Tiding, Usage, View, Windows, Wishes,
};

/// Something that happened. Facts are only ever added.
#[derive(Debug, Clone)]
pub enum Fact {
    Made {
        create: Create,
        now: Micros,
        by: &'static str,
    },
    Moved(Line),
    Noted {
        grant: u32,
        description: String,
        metadata: String,
        now: Micros,
    },
    Used {
        usage: Usage,
        hold: Option<u8>,
        at: Micros,
        now: Micros,
    },
    Applied {
        apply: Apply,
        at: Micros,
        now: Micros,
    },
    SetAside {
        aside: Aside,
        now: Micros,
    },
    Extended {
        hold: u8,
        deadline: Micros,
        now: Micros,
    },
    Ended {
        hold: u8,
        how: HoldStatus,
        event: Option<u8>,
        now: Micros,
    },
    Reversed {
        reverse: Reverse,
        amount: i128,
        did: Reversed,
        now: Micros,
    },
    Told(News),
    /// A grant has started: time does not step back over that.
    Started {
        now: Micros,
    },
    /// No late event can reach what has expired of a grant any more.
    Closed {
        grant: u32,
        now: Micros,
    },
}

impl Fact {
    fn recorded(&self) -> Micros {
        match self {
            Self::Moved(line) => line.recorded,
            Self::Told(news) => news.at,
            Self::Made { now, .. }
            | Self::Noted { now, .. }
            | Self::Used { now, .. }
            | Self::Applied { now, .. }
            | Self::SetAside { now, .. }
            | Self::Extended { now, .. }
            | Self::Ended { now, .. }
            | Self::Reversed { now, .. }
            | Self::Started { now }
            | Self::Closed { now, .. } => *now,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Naive {
    windows: Windows,
    facts: Vec<Fact>,
    wishes: Wishes,
    /// The thresholds below which the balance was told to be.
    low: Vec<Threshold>,
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
    End(u32),
    Start(u32),
    Warning(u32, Micros),
}

/// Its turn: the instant; at one instant holds, ends, starts and warnings; then holds by id, and the
/// rest as the grants were made, the longest warning first.
type Turn = (Micros, u8, String, i64, Micros);

impl Naive {
    pub fn new(windows: Windows) -> Self {
        Self { windows, facts: Vec::new(), wishes: Wishes::default(), low: Vec::new() }
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
        Self { facts: known.cloned().collect(), ..self.clone() }
    }

    fn revision(&self) -> i64 {
        self.ledger().map(|_| 1).sum()
    }

    /// Moves time to `clock`, or to the last recorded instant if that is later, booking on the way
    /// whatever falls due, one after another. Returns where it stands.
    pub fn pass(&mut self, clock: Micros) -> Micros {
        let last = self.facts.iter().map(Fact::recorded).max();
        let now = last.map_or(clock, |last| last.max(clock));
        // What was due by then has been booked; but somebody may ask for new warnings.
        let since = last.unwrap_or(Micros::MIN);
        let mut levels = self.levels(since);
        let mut done = (since, 3, String::new(), 0, 0);
        let mut moved = None;
        while let Some((turn, due)) = self.next_due(&done, since, now) {
            // The lines are looked at when all that happens at one instant has happened.
            if let Some(before) = moved.filter(|before| *before < turn.0) {
                levels = self.cross(&levels, before);
                moved = None;
            }
            // A warning moves nothing.
            if turn.0 > since && !matches!(due, Due::Warning(..)) {
                moved = Some(turn.0);
            }
            self.bring(due, turn.0);
            done = turn;
        }
        if let Some(at) = moved {
            self.cross(&levels, at);
        }
        self.close(now);
        now
    }

    /// Closes what no late event can reach any more: time does not step back over that.
    fn close(&mut self, now: Micros) {
        for view in self.views(now).into_iter().filter(|view| view.expired > 0) {
            let closes = view.expires.map(|end| end + self.windows.late_usage);
            let known = self
                .facts
                .iter()
                .any(|fact| matches!(fact, Fact::Closed { grant, .. } if *grant == view.grant));
            if let Some(closes) = closes.filter(|at| *at <= now && view.remaining == 0 && !known) {
                self.facts.push(Fact::Closed { grant: view.grant, now: closes });
            }
        }
    }

    fn bring(&mut self, due: Due, instant: Micros) {
        let why = Why::called("creditd", instant);
        match due {
            Due::Hold(hold) => {
                self.let_go(&self.held_by(hold, instant), hold, &why);
                let (how, event) = (HoldStatus::Expired, None);
                self.facts.push(Fact::Ended { hold, how, event, now: instant });
                self.tell_of_hold(hold, instant);
            }
            Due::End(grant) => {
                let free = self.view(grant, instant).map_or(0, |view| view.remaining - view.held);
                if free > 0 {
                    self.moved(grant, Kind::Expired, -free, 0, &why);
                }
                self.tell_of_grant(Tiding::Expired, grant, instant);
            }
            Due::Start(grant) => {
                if self.view(grant, instant).is_ok_and(|view| view.status == Status::Active) {
                    self.facts.push(Fact::Started { now: instant });
                    self.tell_of_grant(Tiding::Activated, grant, instant);
                }
            }
            Due::Warning(grant, period) => self.warn(grant, period, instant),
        }
    }

    /// What is due after what was done last.
    fn next_due(&self, done: &Turn, since: Micros, now: Micros) -> Option<(Turn, Due)> {
        let mut due = Vec::new();
        for hold in self.holds().into_iter().filter(|hold| hold.status == HoldStatus::Open) {
            let id = hold.aside.hold;
            due.push(((hold.deadline, 0, id.to_string(), 0, 0), Due::Hold(id)));
        }
        let stands = |view: &View| view.remaining > 0 && view.voided_at.is_none();
        for view in self.views(now).into_iter().filter(stands) {
            let (grant, made) = (view.grant, view.sequence);
            if let Some(end) = view.expires {
                due.push(((end, 1, String::new(), made, 0), Due::End(grant)));
            }
            due.push(((view.effective, 2, String::new(), made, 0), Due::Start(grant)));
            for (period, begins) in self.warnings_of(&view) {
                // One that nobody asked for before is due at once.
                let at = if begins > since { begins } else { now };
                if !view.ended(at) {
                    due.push(((at, 3, String::new(), made, -period), Due::Warning(grant, period)));
                }
            }
        }
        due.retain(|(turn, _)| turn > done && turn.0 <= now);
        due.into_iter().min_by(|(a, _), (b, _)| a.cmp(b))
    }

    /// Answers a call at the instant that [`Naive::pass`] returned.
    pub fn answer(&mut self, said: &Said, now: Micros) -> Reply {
        let by = said.actor;
        let (known, levels) = (self.facts.len(), self.levels(now));
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
        if answer.is_ok() {
            self.notice(known, now);
            self.cross(&levels, now);
        }
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
