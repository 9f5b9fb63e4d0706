//! A draw: never more than asked or had, exact to the last decimal, split only where it must be.

use creditd::domain::amount::Amount;
use creditd::domain::drawdown::{Draw, Purpose};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::config;
use super::convert::{instant, metric, windows};
use super::stage::{covers, credits, grant, min, untouched};
use super::view::pays_for;
use super::words::{MINUTE, ONE, Scope, View, Windows};

const LARGEST: i128 = 1000 * ONE * ONE;

fn amount() -> impl Strategy<Value = i128> {
    prop_oneof![1..=20_i128, (1..=20_i128).prop_map(|n| n * ONE), Just(LARGEST), 1..=LARGEST]
}

/// Grants in all states at minute 0: spent in part, expired of late, voided, not begun.
fn grants() -> impl Strategy<Value = Vec<View>> {
    let scope = select(vec![
        Scope::Any,
        Scope::Metrics(vec!["api", "mail"]),
        Scope::Metrics(vec!["gpu"]),
        Scope::Money("USD"),
    ]);
    let ends = select(vec![None, Some(-31), Some(-30), Some(-1), Some(0), Some(1)]);
    let terms = (scope, amount(), 0..=3_i128, ends, -3..2_i64, prop::bool::weighted(0.1));
    vec(terms, 0..9).prop_map(|all| {
        let view = |(number, (scope, amount, spent, end, from, voided)): (u32, _)| {
            let mut view = untouched(&credits(number, 1, end));
            (view.scope, view.amount, view.effective) = (scope, amount, min(from * 10));
            view.consumed = amount / 3 * spent;
            let rest = amount - view.consumed;
            view.remaining = 0;
            if voided {
                view.voided = rest;
                view.voided_at = Some((min(-1), "fraud".to_owned()));
            } else if end.is_some_and(|end| end <= 0) {
                view.expired = rest;
            } else {
                view.remaining = rest;
            }
            view
        };
        (1..).zip(all).map(view).collect()
    })
}

/// What a grant can give at minute 0 to an event of `at`, late window 30 minutes.
fn has(view: &View, at: i64) -> i128 {
    let live = view.effective <= min(at) && view.expires.is_none_or(|end| min(at) < end);
    let gone = view.expires.filter(|end| *end <= min(0));
    match gone {
        _ if !live || view.voided_at.is_some() || !pays_for(&view.scope, "api") => 0,
        Some(end) if min(0) - end < 30 * MINUTE => view.expired,
        Some(_) => 0,
        None => view.remaining,
    }
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn a_draw_is_exact(views in grants(), quantity in prop_oneof![Just(0), amount()], at in -40..=5_i64) {
        let all: Vec<_> = views.iter().map(grant).collect();
        let windows = windows(Windows { max_event_age: 100 * MINUTE, late_usage: 30 * MINUTE });
        let draw = Draw {
            purpose: Purpose::Usage(&metric("api")),
            quantity: Amount::from_units(quantity),
            at: instant(min(at)),
            now: instant(min(0)),
            windows: &windows,
        };
        let plan = draw.plan(all.iter()).expect("sound figures");
        let taken: i128 = plan.slices.iter().map(|slice| slice.take.units()).sum();
        prop_assert_eq!(taken, plan.covered.units());
        prop_assert_eq!(taken + plan.uncovered.units(), quantity);
        let had: i128 = views.iter().map(|view| has(view, at)).sum();
        prop_assert_eq!(taken, had.min(quantity), "all that is there, and no more");
        for pair in plan.slices.windows(2) {
            prop_assert!(pair[0].index < pair[1].index, "in the order of the list");
        }
        let mut next = plan.slices.iter().peekable();
        let mut open = quantity;
        for (index, view) in views.iter().enumerate() {
            let slice = next.next_if(|slice| slice.index == index);
            let take = slice.map_or(0, |slice| slice.take.units());
            prop_assert_eq!(take, has(view, at).min(open), "empties each before the next");
            prop_assert!(slice.is_none_or(|slice| slice.take.is_positive()));
            let gone = view.expires.is_some_and(|end| end <= min(0));
            prop_assert!(slice.is_none_or(|slice| slice.reclaim == gone));
            open -= take;
        }
    }
}

#[test]
fn scopes_pay_for_what_they_name() {
    let none = [false, false, false];
    let matrix = [
        (Scope::Any, [true, true, true]),
        (Scope::Metrics(vec!["api"]), [true, false, false]),
        (Scope::Metrics(vec!["gpu", "gpu"]), [false, true, false]),
        (Scope::Metrics(vec!["mail", "api"]), [true, false, true]),
        (Scope::Metrics(vec!["API"]), none),
        (Scope::Metrics(vec!["ap"]), none),
        (Scope::Metrics(vec!["api v2"]), none),
        (Scope::Money("USD"), none),
        (Scope::Money("JPY"), none),
    ];
    for (scope, expected) in matrix {
        let covered = ["api", "gpu", "mail"].map(|metric| covers(&scope, metric));
        assert_eq!(covered, expected, "{scope:?}");
    }
}
