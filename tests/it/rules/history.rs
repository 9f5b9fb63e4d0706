//! Random histories. Times are coarse and drawn to the edges that earlier calls made, so that
//! equal instants, exact expiries and exact ends of windows are common rather than never.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::books::REPLICAS;
use super::convert::{CURRENCIES, METRICS};
use super::words::{
    Call, Category, Create, MINUTE, Micros, Notes, ONE, Said, Scope, Update, Usage, Void, Windows,
};

/// Words for descriptions and metadata.
pub const NOTES: [&str; 3] = ["", "x", "y"];
const LARGEST: i128 = 1000 * ONE * ONE;
const START: Micros = 1_700_000_000_000_000;

/// One call of a history: when, where, what.
#[derive(Debug, Clone)]
pub struct Step {
    pub clock: Micros,
    /// Which replica's lane takes it; one number more than there are stands for a fresh one.
    pub replica: usize,
    pub said: Said,
}

#[derive(Debug, Clone)]
pub struct History {
    pub windows: Windows,
    pub steps: Vec<Step>,
}

/// An instant before it is known what there is to aim at.
#[derive(Debug, Clone)]
enum When {
    /// So far from the clock.
    Off(Micros),
    /// At the oldest timestamp an event may have, or so far from it.
    Oldest(Micros),
    /// At an instant that matters to an earlier call, or so far from it.
    Edge(usize, Micros),
}

#[derive(Debug, Clone)]
enum Act {
    Create(Create, Option<When>, Option<When>),
    Usage(Usage, Option<When>),
    Update(Update, usize, Option<Option<When>>),
    Void(Void, usize),
    /// An earlier call once more, to the letter or with a twist.
    Repeat(usize, u8),
    Sweep,
}

#[derive(Debug, Clone)]
struct Raw {
    clock: When,
    replica: usize,
    actor: &'static str,
    act: Act,
}

fn nudge() -> impl Strategy<Value = Micros> {
    select(vec![0, 0, 0, -1, 1])
}

fn when() -> impl Strategy<Value = When> {
    let m = MINUTE;
    prop_oneof![
        3 => select(vec![0, 0, -1, 1, m, -m, -2 * m, -4 * m, 5 * m, 5 * m + 1, 8 * m, 20 * m])
            .prop_map(When::Off),
        1 => nudge().prop_map(When::Oldest),
        4 => (any::<usize>(), nudge()).prop_map(|(at, off)| When::Edge(at, off)),
    ]
}

/// An end: mostly still to come.
fn end() -> impl Strategy<Value = When> {
    let m = MINUTE;
    let ahead = select(vec![1, m, m, 2 * m, 4 * m, 8 * m, 20 * m, 60 * m]);
    prop_oneof![7 => ahead.prop_map(When::Off), 2 => when()]
}

/// A timestamp: mostly of late.
fn timestamp() -> impl Strategy<Value = When> {
    let m = MINUTE;
    let behind = select(vec![0, -1, -m, -m, -2 * m, -4 * m, -8 * m]);
    prop_oneof![5 => behind.prop_map(When::Off), 4 => when()]
}

/// Mostly stands still; the step back stands for a replica whose clock is behind.
fn clock() -> impl Strategy<Value = When> {
    let m = MINUTE;
    prop_oneof![
        7 => Just(When::Off(0)),
        2 => select(vec![1, m, m, 2 * m, 5 * m]).prop_map(When::Off),
        1 => select(vec![-1, -m, -3 * m]).prop_map(When::Off),
        4 => (any::<usize>(), nudge()).prop_map(|(at, off)| When::Edge(at, off)),
    ]
}

fn amount() -> impl Strategy<Value = i128> {
    prop_oneof![
        8 => (1..=12_i128).prop_map(|n| n * ONE),
        1 => (1..=9_i128).prop_map(|n| n * ONE / 4),
        1 => select(vec![1, 2, LARGEST, LARGEST - 1, 333_333_333_333]),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        3 => Just(Scope::Any),
        3 => vec(select(METRICS.to_vec()), 1..4).prop_map(Scope::Metrics),
        1 => select(CURRENCIES.to_vec()).prop_map(Scope::Money),
    ]
}

fn priority() -> impl Strategy<Value = Option<i32>> {
    select(vec![None, None, None, Some(0), Some(10), Some(50), Some(100)])
}

fn create() -> impl Strategy<Value = Act> {
    let category = option::of(select(vec![
        Category::Promotional,
        Category::Purchased,
        Category::Loyalty,
        Category::Service,
    ]));
    let notes = (select(NOTES.to_vec()), select(NOTES.to_vec()));
    let terms = (0..40_u8, scope(), amount(), priority(), category, notes);
    let from = option::of(prop_oneof![1 => when(), 2 => timestamp(), 1 => end()]);
    (terms, from, option::weighted(0.8, end())).prop_map(|(terms, from, to)| {
        let (key, scope, amount, priority, category, (description, metadata)) = terms;
        let notes = Notes { description, metadata };
        let (grant, effective, expires) = (0, None, None);
        let create =
            Create { key, grant, scope, amount, priority, category, effective, expires, notes };
        Act::Create(create, from, to)
    })
}

fn usage() -> impl Strategy<Value = Act> {
    let quantity =
        prop_oneof![6 => amount(), 3 => amount().prop_map(|n| (2 * n).min(LARGEST)), 1 => Just(0)];
    let metric = select(vec![METRICS[0], METRICS[0], METRICS[1], METRICS[2]]);
    let terms = (0..200_u8, metric, quantity, prop::bool::weighted(0.15), select(NOTES.to_vec()));
    (terms, option::weighted(0.7, timestamp())).prop_map(|(terms, at)| {
        let (event, metric, quantity, reject, metadata) = terms;
        Act::Usage(Usage { event, metric, quantity, at: None, reject, metadata }, at)
    })
}

fn update() -> impl Strategy<Value = Act> {
    let note = || option::of(select(NOTES.to_vec()));
    let expires = option::of(option::weighted(0.8, end()));
    let terms = (note(), note(), option::weighted(0.4, priority()));
    (terms, any::<usize>(), expires).prop_map(|(terms, target, expires)| {
        let (description, metadata, priority) = terms;
        let update = Update { grant: 0, description, metadata, priority, expires: None };
        Act::Update(update, target, expires)
    })
}

fn act() -> impl Strategy<Value = Act> {
    let void = (any::<usize>(), select(vec!["fraud", "refund"]));
    prop_oneof![
        6 => create(),
        10 => usage(),
        3 => update(),
        1 => void.prop_map(|(target, reason)| Act::Void(Void { grant: 0, reason }, target)),
        3 => (any::<usize>(), 0..8_u8).prop_map(|(of, twist)| Act::Repeat(of, twist)),
        1 => Just(Act::Sweep),
    ]
}

/// A history of up to so many calls.
pub fn histories(most: usize) -> impl Strategy<Value = History> {
    let windows = select(vec![(10, 3), (10, 30), (60, 12), (60, 0), (0, 3)]);
    let actor = select(vec!["anonymous", "billing"]);
    let raw = (clock(), 0..=REPLICAS, actor, act());
    let raw = raw.prop_map(|(clock, replica, actor, act)| Raw { clock, replica, actor, act });
    (windows, vec(raw, 1..most)).prop_map(|((age, late), raws)| {
        let windows = Windows { max_event_age: age * MINUTE, late_usage: late * MINUTE };
        let edges = vec![START];
        let mut writer =
            Writer { windows, clock: START, latest: START, edges, closings: Vec::new(), grants: 0 };
        let mut steps: Vec<Step> = Vec::new();
        for raw in raws {
            let step = writer.step(raw, &steps);
            steps.push(step);
        }
        History { windows, steps }
    })
}

impl History {
    /// The same with a clock that never runs backwards.
    pub fn forward(mut self) -> Self {
        let mut latest = START;
        for step in &mut self.steps {
            latest = latest.max(step.clock);
            step.clock = latest;
        }
        self
    }

    /// Past the last step, and past everything it may have left to fall due.
    pub fn end(&self) -> Micros {
        self.clock() + 365 * 24 * 60 * MINUTE
    }

    /// The last that any clock showed.
    pub fn clock(&self) -> Micros {
        self.steps.iter().map(|step| step.clock).max().unwrap_or(START)
    }
}

/// Fixes the instants of a history, one call after another.
struct Writer {
    windows: Windows,
    clock: Micros,
    latest: Micros,
    edges: Vec<Micros>,
    /// Ends of late windows.
    closings: Vec<Micros>,
    grants: u32,
}

impl Writer {
    fn at(&self, when: &When) -> Micros {
        match when {
            When::Off(off) => self.clock + off,
            When::Oldest(off) => self.clock - self.windows.max_event_age + off,
            When::Edge(pick, off) => self.edges[pick % self.edges.len()] + off,
        }
    }

    /// A clock steps back over no end of a late window that was reached: closing a grant is not
    /// recorded, so that nothing holds the customer's time there.
    fn floor(&self) -> Micros {
        let reached = self.closings.iter().copied().filter(|at| *at <= self.latest);
        reached.max().unwrap_or(Micros::MIN)
    }

    /// Notes the end of a grant, which is worth aiming at.
    fn end(&mut self, at: Option<Micros>) {
        let closing = at.map(|end| end + self.windows.late_usage);
        self.edges.extend(at);
        self.edges.extend(closing);
        self.closings.extend(closing);
    }

    fn step(&mut self, raw: Raw, before: &[Step]) -> Step {
        self.clock = match &raw.clock {
            When::Edge(pick, off) => self.next_edge(*pick).map_or(self.clock, |at| at + off),
            other => self.at(other).max(self.floor()),
        };
        self.latest = self.latest.max(self.clock);
        let call = self.call(raw.act, before);
        Step { clock: self.clock, replica: raw.replica, said: Said { actor: raw.actor, call } }
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
                self.end(create.expires);
                self.fresh(create)
            }
            Act::Usage(mut usage, at) => {
                usage.at = at.map(|when| self.at(&when));
                Call::Usage(usage)
            }
            Act::Update(mut update, target, expires) => {
                update.grant = self.target(target);
                update.expires = expires.map(|to| to.map(|when| self.at(&when)));
                self.end(update.expires.flatten());
                Call::Update(update)
            }
            Act::Void(mut void, target) => {
                void.grant = self.target(target);
                Call::Void(void)
            }
            Act::Repeat(of, twist) if !before.is_empty() => {
                self.again(before[of % before.len()].said.call.clone(), twist)
            }
            Act::Repeat(..) | Act::Sweep => Call::Sweep,
        }
    }

    /// Some call's grant; those of refused or repeated calls were never made.
    fn target(&self, pick: usize) -> u32 {
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
            other => other,
        }
    }
}
