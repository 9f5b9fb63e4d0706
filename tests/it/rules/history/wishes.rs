//! Who is to be told of what, by chance, and how that changes on the way.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::words::{MINUTE, Micros, ONE, Purse, Threshold, Tiding, Wishes};
use super::{currency, metric};

/// How wishes change.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Endpoints(Vec<Option<Vec<Tiding>>>),
    Periods(Vec<Micros>),
    Thresholds(Vec<Threshold>),
    /// A threshold recovers at so much more than its amount.
    RecoverAt(usize, i128),
    Remove(usize),
    /// They are as they were at first.
    Back,
}

/// Two or three subscribed to this and that, sometimes all to everything, and sometimes nobody.
fn endpoints() -> impl Strategy<Value = Vec<Option<Vec<Tiding>>>> {
    let types = subsequence(Tiding::ALL.to_vec(), 1..=6);
    prop_oneof![
        5 => Just(vec![None]),
        4 => vec(option::weighted(0.7, types), 2..4),
        1 => Just(Vec::new()),
    ]
}

/// The longest first, as they are kept.
fn periods() -> impl Strategy<Value = Vec<Micros>> {
    let m = MINUTE;
    let periods = subsequence(vec![60 * m, 20 * m, 8 * m, 4 * m, 2 * m, m, m / 60], 0..=3);
    prop_oneof![1 => Just(Vec::new()), 9 => periods]
}

fn threshold() -> impl Strategy<Value = Threshold> {
    let purse = prop_oneof![
        3 => metric().prop_map(Purse::Metric),
        1 => currency().prop_map(Purse::Money),
    ];
    let amount = prop_oneof![4 => 1..=20_i128, 1 => 20..=60_i128];
    (purse, amount, select(vec![0, 0, 1, 3, 10])).prop_map(|(of, amount, more)| Threshold {
        of,
        amount: amount * ONE,
        recover_at: (amount + more) * ONE,
    })
}

/// No line twice.
fn thresholds() -> impl Strategy<Value = Vec<Threshold>> {
    vec(threshold(), 0..=3).prop_map(|mut thresholds| {
        thresholds.sort_unstable();
        thresholds.dedup_by_key(|threshold| threshold.line());
        thresholds
    })
}

pub(super) fn wishes() -> impl Strategy<Value = Wishes> {
    (endpoints(), periods(), thresholds()).prop_map(|(endpoints, periods, thresholds)| Wishes {
        endpoints,
        periods,
        thresholds,
    })
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => endpoints().prop_map(Change::Endpoints),
        2 => periods().prop_map(Change::Periods),
        1 => thresholds().prop_map(Change::Thresholds),
        3 => (any::<usize>(), 0..6_i128).prop_map(|(pick, more)| Change::RecoverAt(pick, more)),
        1 => any::<usize>().prop_map(Change::Remove),
        2 => Just(Change::Back),
    ]
}

impl Change {
    pub(super) fn of(self, now: &Wishes, first: &Wishes) -> Wishes {
        let mut wishes = now.clone();
        let thresholds = wishes.thresholds.len().max(1);
        match self {
            Self::Endpoints(endpoints) => wishes.endpoints = endpoints,
            Self::Periods(periods) => wishes.periods = periods,
            Self::Thresholds(thresholds) => wishes.thresholds = thresholds,
            Self::RecoverAt(pick, more) => {
                for threshold in wishes.thresholds.iter_mut().skip(pick % thresholds).take(1) {
                    threshold.recover_at = threshold.amount + more * ONE;
                }
            }
            Self::Remove(pick) => {
                let gone = pick % thresholds;
                let kept = now.thresholds.iter().enumerate().filter(|(place, _)| *place != gone);
                wishes.thresholds = kept.map(|(_, threshold)| *threshold).collect();
            }
            Self::Back => wishes = first.clone(),
        }
        wishes
    }
}
