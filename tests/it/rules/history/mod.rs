//! Random histories. Times are coarse and drawn to the edges that earlier calls made, so that
//! equal instants, exact expiries and exact ends of windows are common rather than never.

mod wishes;
mod writer;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use self::wishes::{Change, change, wishes};
use self::writer::Writer;
use super::books::REPLICAS;
use super::convert::{CURRENCIES, METRICS};
use super::words::{
    Apply, Aside, Category, Create, MINUTE, Micros, Notes, ONE, Said, Scope, Update, Usage, Void,
    Windows, Wishes,
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
    /// Who is to be told of what from here on, where that changes.
    pub wishes: Option<Wishes>,
    pub said: Said,
}

#[derive(Debug, Clone)]
pub struct History {
    pub windows: Windows,
    /// Who is to be told of what at first.
    pub wishes: Wishes,
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
    /// At an end that the grant in question was given before.
    End(usize),
}

#[derive(Debug, Clone)]
enum Act {
    Create(Create, Option<When>, Option<When>),
    Usage(Usage, Option<When>),
    Update(Update, usize, Option<Option<When>>),
    Void(Void, usize),
    Apply(Apply, Option<When>),
    Aside(Aside, Option<When>),
    Extend(usize, When),
    /// Its event is called like the hold where no other id is given.
    Settle {
        hold: usize,
        event: Option<u8>,
        part: Part,
        at: Option<When>,
    },
    Release(usize),
    Reverse {
        key: u8,
        of: usize,
        part: Option<Part>,
        reason: &'static str,
    },
    /// An earlier call once more, to the letter or with a twist.
    Repeat(usize, u8),
    Sweep,
}

/// How much of what an earlier call was about.
#[derive(Debug, Clone, Copy)]
enum Part {
    Nothing,
    /// The least there is.
    Least,
    Third,
    /// All of it, and so much more.
    All(i128),
    Twice,
}

#[derive(Debug, Clone)]
struct Raw {
    clock: When,
    replica: usize,
    actor: &'static str,
    change: Option<Change>,
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
    let ahead = select(vec![1, m, 2 * m, 4 * m, 8 * m, 8 * m, 20 * m, 60 * m]);
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
        12 => Just(When::Off(0)),
        2 => select(vec![1, m, m, 2 * m, 5 * m]).prop_map(When::Off),
        1 => select(vec![-1, -m, -3 * m]).prop_map(When::Off),
        3 => (any::<usize>(), nudge()).prop_map(|(at, off)| When::Edge(at, off)),
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
        4 => Just(Scope::Any),
        2 => vec(metric(), 1..4).prop_map(Scope::Metrics),
        3 => currency().prop_map(Scope::Money),
    ]
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(CURRENCIES[0]), 1 => select(CURRENCIES.to_vec())]
}

fn metric() -> impl Strategy<Value = &'static str> {
    select(vec![METRICS[0], METRICS[0], METRICS[0], METRICS[1], METRICS[2]])
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
    let from = option::of(prop_oneof![2 => when(), 8 => timestamp(), 1 => end()]);
    (terms, from, option::weighted(0.8, end())).prop_map(|(terms, from, to)| {
        let (key, scope, amount, priority, category, (description, metadata)) = terms;
        let notes = Notes { description, metadata };
        let (grant, effective, expires) = (0, None, None);
        let create =
            Create { key, grant, scope, amount, priority, category, effective, expires, notes };
        Act::Create(create, from, to)
    })
}

/// Less than most grants have.
fn small() -> impl Strategy<Value = i128> {
    (1..=4_i128).prop_map(|n| n * ONE)
}

fn quantity() -> impl Strategy<Value = i128> {
    let more = amount().prop_map(|n| (2 * n).min(LARGEST));
    prop_oneof![4 => small(), 4 => amount(), 1 => more, 1 => Just(0)]
}

fn usage() -> impl Strategy<Value = Act> {
    let reject = prop::bool::weighted(0.15);
    let terms = (0..200_u8, metric(), quantity(), reject, select(NOTES.to_vec()));
    (terms, option::weighted(0.7, timestamp())).prop_map(|(terms, at)| {
        let (event, metric, quantity, reject, metadata) = terms;
        Act::Usage(Usage { event, metric, quantity, at: None, reject, metadata }, at)
    })
}

fn update() -> impl Strategy<Value = Act> {
    let note = || option::of(select(NOTES.to_vec()));
    let expires = option::of(option::weighted(
        0.8,
        prop_oneof![3 => end(), 2 => any::<usize>().prop_map(When::End)],
    ));
    let terms = (note(), note(), option::weighted(0.4, priority()));
    (terms, any::<usize>(), expires).prop_map(|(terms, target, expires)| {
        let (description, metadata, priority) = terms;
        let update = Update { grant: 0, description, metadata, priority, expires: None };
        Act::Update(update, target, expires)
    })
}

fn apply() -> impl Strategy<Value = Act> {
    let terms = (0..60_u8, currency(), quantity(), option::weighted(0.6, timestamp()));
    terms.prop_map(|(invoice, currency, due, at)| {
        Act::Apply(Apply { invoice, currency, due, at: None }, at)
    })
}

fn aside() -> impl Strategy<Value = Act> {
    let quantity = prop_oneof![3 => small(), 1 => amount()];
    let terms = (0..30_u8, metric(), quantity, prop::bool::weighted(0.6));
    (terms, option::weighted(0.8, end())).prop_map(|((hold, metric, quantity, partial), to)| {
        Act::Aside(Aside { hold, metric, quantity, ttl: None, partial }, to)
    })
}

fn part() -> impl Strategy<Value = Part> {
    let parts = [Part::Nothing, Part::Least, Part::Third, Part::All(1), Part::Twice];
    prop_oneof![2 => Just(Part::All(0)), 3 => select(parts.to_vec())]
}

fn settle() -> impl Strategy<Value = Act> {
    let event = option::weighted(0.6, 0..200_u8);
    let at = option::weighted(0.5, timestamp());
    (any::<usize>(), event, part(), at).prop_map(|(hold, event, part, at)| Act::Settle {
        hold,
        event,
        part,
        at,
    })
}

fn reverse() -> impl Strategy<Value = Act> {
    let reason = select(vec!["mistake", "refund"]);
    let part = option::weighted(0.8, prop_oneof![4 => Just(Part::Third), 3 => part()]);
    (0..60_u8, any::<usize>(), part, reason).prop_map(|(key, of, part, reason)| Act::Reverse {
        key: key * 2,
        of,
        part,
        reason,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let void = (any::<usize>(), select(vec!["fraud", "refund"]));
    prop_oneof![
        6 => create(),
        6 => usage(),
        4 => update(),
        1 => void.prop_map(|(target, reason)| Act::Void(Void { grant: 0, reason }, target)),
        3 => apply(),
        6 => aside(),
        1 => (any::<usize>(), end()).prop_map(|(hold, to)| Act::Extend(hold, to)),
        3 => settle(),
        1 => any::<usize>().prop_map(Act::Release),
        5 => reverse(),
        6 => (any::<usize>(), 0..8_u8).prop_map(|(of, twist)| Act::Repeat(of, twist)),
        1 => Just(Act::Sweep),
    ]
}

/// A history of up to so many calls, after a few to begin with.
pub fn histories(most: usize) -> impl Strategy<Value = History> {
    let windows = select(vec![(10, 3), (10, 30), (60, 12), (60, 30), (60, 0)]);
    let windows = prop_oneof![12 => windows, 1 => Just((0, 3))];
    let actor = select(vec!["anonymous", "billing"]);
    let raw = |clock, act| {
        let raw = (clock, 0..=REPLICAS, actor.clone(), option::weighted(0.05, change()), act);
        raw.prop_map(|(clock, replica, actor, change, act)| {
            // Whoever changes them has the sweeper come by, sooner or later.
            let act = if change.is_some() && replica == 0 { Act::Sweep } else { act };
            Raw { clock, replica, actor, change, act }
        })
    };
    // Something to begin with, so that what comes next finds something to act on.
    let at_once = || Just(When::Off(0)).boxed();
    let opening = (
        vec(raw(at_once(), create().boxed()), 1..4),
        vec(raw(at_once(), prop_oneof![usage(), apply(), aside()].boxed()), 0..4),
    );
    let raws = vec(raw(clock().boxed(), act().boxed()), 1..most);
    (windows, wishes(), opening, raws).prop_map(
        |((age, late), wishes, (grants, spending), rest)| {
            let raws = grants.into_iter().chain(spending).chain(rest);
            let windows = Windows { max_event_age: age * MINUTE, late_usage: late * MINUTE };
            let mut writer = Writer::new(windows, &wishes);
            let mut steps: Vec<Step> = Vec::new();
            for raw in raws {
                let step = writer.step(raw, &steps);
                steps.push(step);
            }
            History { windows, wishes, steps }
        },
    )
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

    /// The same with wishes that never change.
    pub fn of_one_mind(mut self) -> Self {
        self.steps.iter_mut().for_each(|step| step.wishes = None);
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
