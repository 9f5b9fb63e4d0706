//! Writes a history down: fixes instants and targets, one call after another.

use super::super::naive::smallest;
use super::super::words::{
    Apply, Aside, Call, Create, Extend, MINUTE, Micros, Of, Reverse, Said, Scope, Settle, Usage,
    Windows, Wishes,
};
use super::{Act, LARGEST, Part, Raw, START, Step, When};

/// An id that no call makes.
const NEVER: u8 = 220;

/// Fixes the instants of a history, one call after another.
pub(super) struct Writer {
    windows: Windows,
    clock: Micros,
    latest: Micros,
    wishes: Wishes,
    first_wishes: Wishes,
    edges: Vec<Micros>,
    /// The grant in question, and the ends that grants were given.
    target: u32,
    ends: Vec<(u32, Micros)>,
    /// Ends of late windows.
    closings: Vec<Micros>,
    grants: u32,
}

impl Writer {
    pub(super) fn new(windows: Windows, wishes: &Wishes) -> Self {
        Self {
            windows,
            clock: START,
            latest: START,
            wishes: wishes.clone(),
            first_wishes: wishes.clone(),
            edges: vec![START],
            target: 0,
            ends: Vec::new(),
            closings: Vec::new(),
            grants: 0,
        }
    }

    fn at(&self, when: &When) -> Micros {
        match when {
            When::Off(off) => self.clock + off,
            When::Oldest(off) => self.clock - self.windows.max_event_age + off,
            When::Edge(pick, off) => self.edges[pick % self.edges.len()] + off,
            When::End(pick) => {
                let given = self.ends.iter().filter(|(grant, _)| *grant == self.target);
                let ahead: Vec<Micros> =
                    given.map(|(_, end)| *end).filter(|end| *end > self.clock).collect();
                ahead.get(pick % ahead.len().max(1)).copied().unwrap_or(self.clock + MINUTE)
            }
        }
    }

    /// A clock steps back over no end of a late window that was reached: only a batch that closes
    /// the grant holds the customer's time there.
    fn floor(&self) -> Micros {
        let reached = self.closings.iter().copied().filter(|at| *at <= self.latest);
        reached.max().unwrap_or(Micros::MIN)
    }

    /// Notes the end of a grant, which is worth aiming at.
    fn end(&mut self, at: Option<Micros>) {
        let closing = at.map(|end| end + self.windows.late_usage);
        let begins = self.wishes.periods.iter().filter_map(|period| Some(at? - period));
        self.edges.extend(begins);
        self.ends.extend(at.map(|end| (self.target, end)));
        self.edges.extend(at);
        self.edges.extend(closing);
        self.closings.extend(closing);
    }

    pub(super) fn step(&mut self, raw: Raw, before: &[Step]) -> Step {
        self.clock = match &raw.clock {
            When::Edge(pick, off) => self.next_edge(*pick).map_or(self.clock, |at| at + off),
            other => self.at(other).max(self.floor()),
        };
        self.latest = self.latest.max(self.clock);
        let wishes = raw.change.map(|change| change.of(&self.wishes, &self.first_wishes));
        self.wishes = wishes.clone().unwrap_or_else(|| self.wishes.clone());
        let call = self.call(raw.act, before);
        let said = Said { actor: raw.actor, call };
        Step { clock: self.clock, replica: raw.replica, wishes, said }
    }

    /// One of the next few instants ahead, so that time does not leap over all of them.
    fn next_edge(&self, pick: usize) -> Option<Micros> {
        let mut ahead: Vec<Micros> =
            self.edges.iter().copied().filter(|at| *at > self.clock).collect();
        ahead.sort_unstable();
        ahead.truncate(2);
        (!ahead.is_empty()).then(|| ahead[pick % ahead.len()])
    }

    fn call(&mut self, act: Act, before: &[Step]) -> Call {
        match act {
            Act::Create(mut create, from, to) => {
                create.effective = from.map(|when| self.at(&when));
                create.expires = to.map(|when| self.at(&when));
                self.edges.extend(create.effective);
                self.target = self.grants + 1;
                self.end(create.expires);
                if let Scope::Money(currency) = create.scope {
                    create.amount = whole(currency, create.amount).max(smallest(currency));
                }
                self.fresh(create)
            }
            Act::Usage(mut usage, at) => {
                usage.at = at.map(|when| self.at(&when));
                Call::Usage(usage)
            }
            Act::Update(mut update, target, expires) => {
                update.grant = self.target(target);
                self.target = update.grant;
                update.expires = expires.map(|to| to.map(|when| self.at(&when)));
                self.end(update.expires.flatten());
                Call::Update(update)
            }
            Act::Void(mut void, target) => {
                void.grant = self.target(target);
                Call::Void(void)
            }
            Act::Apply(mut apply, at) => {
                apply.at = at.map(|when| self.at(&when));
                apply.due = whole(apply.currency, apply.due);
                Call::Apply(apply)
            }
            Act::Aside(mut aside, to) => {
                aside.ttl = to.map(|when| self.ttl(&when));
                Call::Aside(aside)
            }
            Act::Extend(pick, to) => {
                let hold = some_hold(before, pick).map_or(NEVER, |aside| aside.hold);
                Call::Extend(Extend { hold, ttl: self.ttl(&to) })
            }
            Act::Settle { hold, event, part, at } => {
                let aside = some_hold(before, hold);
                let hold = aside.map_or(NEVER, |aside| aside.hold);
                Call::Settle(Settle {
                    hold,
                    event: event.unwrap_or(hold),
                    quantity: part.of(aside.map_or(1, |aside| aside.quantity), 1),
                    at: at.map(|when| self.at(&when)),
                })
            }
            Act::Release(pick) => {
                Call::Release(some_hold(before, pick).map_or(NEVER, |aside| aside.hold))
            }
            Act::Reverse { key, of, part, reason } => {
                let (of, whole, least) = some_spending(before, of);
                // A reversal of nothing in particular is never sent.
                let amount = part.map(|part| part.of(whole, least).max(1));
                Call::Reverse(Reverse { key, of, amount, reason })
            }
            Act::Repeat(of, twist) => {
                some_keyed(before, of).map_or(Call::Sweep, |call| self.again(call.clone(), twist))
            }
            Act::Sweep => Call::Sweep,
        }
    }

    /// The grant in question before, or some call's grant; those of refused or repeated calls were never made.
    fn target(&self, pick: usize) -> u32 {
        if pick.is_multiple_of(3) && self.target > 0 {
            return self.target;
        }
        let numbers = self.grants.max(1);
        u32::try_from(pick % usize::try_from(numbers).expect("a few")).expect("a few") + 1
    }

    fn fresh(&mut self, mut create: Create) -> Call {
        self.grants += 1;
        create.grant = self.grants;
        Call::Create(create)
    }

    fn again(&mut self, call: Call, twist: u8) -> Call {
        match call {
            Call::Create(mut create) => {
                match (twist, &mut create.scope) {
                    (0, _) => create.effective = None,
                    (1, _) => create.effective = Some(self.clock),
                    (2, Scope::Metrics(names)) => names.extend(names.clone().into_iter().rev()),
                    (3, _) => {
                        create.expires = create.expires.map(|end| end + 1);
                        self.end(create.expires);
                    }
                    (4, _) => create.notes.metadata = "y",
                    _ => {}
                }
                self.fresh(create)
            }
            Call::Usage(mut usage) => {
                match twist {
                    0 => usage.at = None,
                    1 => usage.at = Some(self.clock),
                    2 => usage.quantity += 1,
                    3 => usage.reject = !usage.reject,
                    4 => usage.metadata = "y",
                    _ => {}
                }
                Call::Usage(usage)
            }
            Call::Apply(apply) => Call::Apply(self.apply_again(apply, twist)),
            Call::Aside(aside) => Call::Aside(aside_again(aside, twist)),
            Call::Settle(settle) => self.settle_again(settle, twist),
            Call::Reverse(mut reverse) => {
                match (twist, reverse.amount) {
                    (0, _) => reverse.amount = None,
                    (1, Some(amount)) => reverse.amount = Some(amount + 1),
                    (2, _) => reverse.reason = "y",
                    (3, _) => reverse.of = Of::Invoice(1),
                    (4, _) => reverse.key += 2,
                    _ => {}
                }
                Call::Reverse(reverse)
            }
            other => other,
        }
    }

    fn apply_again(&self, mut apply: Apply, twist: u8) -> Apply {
        match twist {
            0 => apply.at = None,
            1 => apply.at = Some(self.clock),
            2 => apply.due += smallest(apply.currency),
            3 => apply.currency = "JPY",
            _ => {}
        }
        apply
    }

    fn settle_again(&self, mut settle: Settle, twist: u8) -> Call {
        match twist {
            0 => settle.at = None,
            1 => settle.at = Some(self.clock),
            2 => settle.quantity += 1,
            3 => settle.event += 1,
            4 => settle.hold += 1,
            // The same event from a meter that knows nothing of the hold.
            5 | 6 => {
                let Settle { event, quantity, at, .. } = settle;
                let (metric, reject, metadata) = ("api", twist == 6, "x");
                return Call::Usage(Usage { event, metric, quantity, at, reject, metadata });
            }
            _ => {}
        }
        Call::Settle(settle)
    }

    /// The time to live of a hold that is to end then.
    fn ttl(&mut self, when: &When) -> Micros {
        let day = 24 * 60 * MINUTE;
        let ttl = Some(self.at(when) - self.latest).filter(|ttl| (1..=day).contains(ttl));
        let ttl = ttl.unwrap_or(2 * MINUTE);
        self.edges.push(self.latest + ttl);
        ttl
    }
}

impl Part {
    fn of(self, whole: i128, least: i128) -> i128 {
        match self {
            Self::Nothing => 0,
            Self::Least => least,
            Self::Third => whole / 3 / least * least,
            Self::All(more) => (whole + more).min(LARGEST),
            Self::Twice => (2 * whole).min(LARGEST),
        }
    }
}

/// In whole coins.
fn whole(currency: &str, amount: i128) -> i128 {
    amount / smallest(currency) * smallest(currency)
}

/// A call that has a key: one of all, or one of late.
fn some_keyed(before: &[Step], pick: usize) -> Option<&Call> {
    let calls = before.iter().rev().map(|step| &step.said.call);
    let keyed = calls.filter(|call| {
        !matches!(
            call,
            Call::Update(_) | Call::Void(_) | Call::Extend(_) | Call::Release(_) | Call::Sweep
        )
    });
    let keyed: Vec<&Call> = keyed.take(if pick.is_multiple_of(2) { 8 } else { 100 }).collect();
    keyed.get(pick / 2 % keyed.len().max(1)).copied()
}

/// One of the holds that were asked for lately; sometimes none of them.
fn some_hold(before: &[Step], pick: usize) -> Option<&Aside> {
    let holds = before.iter().rev().filter_map(|step| match &step.said.call {
        Call::Aside(aside) => Some(aside),
        _ => None,
    });
    let holds: Vec<&Aside> = holds.take(5).collect();
    holds.get(pick % holds.len().max(1)).copied().filter(|_| !pick.is_multiple_of(16))
}

/// Something that was spent lately, how much that was, and the least of it.
fn some_spending(before: &[Step], pick: usize) -> (Of, i128, i128) {
    let spent = before.iter().rev().filter_map(|step| match &step.said.call {
        Call::Usage(usage) => Some((Of::Event(usage.event), usage.quantity, 1)),
        Call::Settle(settle) => Some((Of::Event(settle.event), settle.quantity, 1)),
        Call::Apply(apply) => {
            Some((Of::Invoice(apply.invoice), apply.due, smallest(apply.currency)))
        }
        _ => None,
    });
    let spent: Vec<_> = spent.take(6).collect();
    let never = if pick.is_multiple_of(2) { Of::Event(NEVER) } else { Of::Invoice(NEVER) };
    let known = (!pick.is_multiple_of(16)).then(|| spent.get(pick % spent.len().max(1))).flatten();
    known.copied().unwrap_or((never, 1, 1))
}

fn aside_again(mut aside: Aside, twist: u8) -> Aside {
    match twist {
        0 => aside.ttl = None,
        1 => aside.ttl = Some(15 * MINUTE),
        2 => aside.quantity += 1,
        3 => aside.partial = !aside.partial,
        4 => aside.metric = "mail",
        _ => {}
    }
    aside
}
