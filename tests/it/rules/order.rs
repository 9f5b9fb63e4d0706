//! The order of consumption: total, antisymmetric, and the published one.

use std::cmp::Ordering;

use creditd::domain::order::by_consumption;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::config;
use super::stage::{Stage, create, credits, grant, min, paid, untouched, usage, used};
use super::words::{Micros, Scope, View};

/// Grants whose terms collide more often than not; sequences never do.
fn grants() -> impl Strategy<Value = Vec<View>> {
    let scope = select(vec![
        Scope::Any,
        Scope::Metrics(vec!["api"]),
        Scope::Metrics(vec!["gpu", "api"]),
        Scope::Money("USD"),
    ]);
    let terms = (0..3_i32, prop::option::of(5..7_i64), scope, 0..2_i64, 0..2_i64);
    vec(terms, 2..9).prop_map(|all| {
        let view = |(number, (priority, end, scope, from, made)): (u32, _)| {
            let mut view = untouched(&credits(number, 1, end));
            (view.priority, view.scope, view.sequence) = (priority, scope, i64::from(number));
            (view.effective, view.created) = (min(from), min(made));
            view
        };
        (1..).zip(all).map(view).collect()
    })
}

/// The published list, word by word, one question after another.
fn published(a: &View, b: &View) -> Ordering {
    let never = Micros::MAX;
    let tied = |view: &View| matches!(view.scope, Scope::Metrics(_));
    if a.priority != b.priority {
        return if a.priority < b.priority { Ordering::Less } else { Ordering::Greater };
    }
    let (a_ends, b_ends) = (a.expires.unwrap_or(never), b.expires.unwrap_or(never));
    if a_ends != b_ends {
        return if a_ends < b_ends { Ordering::Less } else { Ordering::Greater };
    }
    if tied(a) != tied(b) {
        return if tied(a) { Ordering::Less } else { Ordering::Greater };
    }
    for (a, b) in [(a.effective, b.effective), (a.created, b.created), (a.sequence, b.sequence)] {
        if a != b {
            return if a < b { Ordering::Less } else { Ordering::Greater };
        }
    }
    Ordering::Equal
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn it_is_the_published_one_and_total(views in grants()) {
        let all: Vec<_> = views.iter().map(grant).collect();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                let order = by_consumption(a, b);
                prop_assert_eq!(order, published(&views[i], &views[j]));
                prop_assert_eq!(order, by_consumption(b, a).reverse());
                prop_assert_eq!(order == Ordering::Equal, i == j);
                for c in &all {
                    let chain = order.is_lt() && by_consumption(b, c).is_lt();
                    prop_assert!(!chain || by_consumption(a, c).is_lt());
                }
            }
        }
    }

    #[test]
    fn it_does_not_depend_on_where_grants_stood(views in grants(), swaps in vec(any::<[Index; 2]>(), 9)) {
        let mut sorted: Vec<_> = views.iter().map(grant).collect();
        let mut shuffled = sorted.clone();
        for [a, b] in swaps {
            let (a, b) = (a.index(shuffled.len()), b.index(shuffled.len()));
            shuffled.swap(a, b);
        }
        sorted.sort_by(by_consumption);
        shuffled.sort_by(by_consumption);
        prop_assert_eq!(sorted, shuffled);
    }
}

#[test]
fn three_grants_a_b_c_are_consumed_c_a_b() {
    let (january, february, march) = (31, 59, 90);
    let mut stage = Stage::new();
    for (grant, priority, end) in [(1, 10, march), (2, 20, january), (3, 10, february)] {
        let mut terms = credits(grant, 10, Some(end));
        terms.priority = Some(priority);
        stage.say(min(0), create(terms));
    }
    let reply = stage.say(min(1), usage(used(1, 25, None)));
    assert_eq!(paid(reply), (vec![(3, 10), (1, 10), (2, 5)], 0));
}

#[test]
fn full_ties_go_by_the_sequence() {
    let mut stage = Stage::new();
    // Ids run against the sequence, so that an order by id would show.
    for number in [9, 4, 7, 1] {
        stage.say(min(0), create(credits(number, 10, Some(50))));
    }
    let reply = stage.say(min(0), usage(used(1, 35, None)));
    assert_eq!(paid(reply), (vec![(9, 10), (4, 10), (7, 10), (1, 5)], 0));
}

#[test]
fn priority_beats_expiry_and_expiry_beats_scope() {
    let mut stage = Stage::new();
    let terms = [
        (1, Scope::Metrics(vec!["api"]), 50, Some(50)), // right scope, but late in all else
        (2, Scope::Any, 50, Some(40)),                  // ends sooner than 1
        (3, Scope::Any, 5, None),                       // never ends, but first by priority
        (4, Scope::Any, 50, Some(50)),                  // as 1, but open to any metric
        (5, Scope::Metrics(vec!["gpu"]), 0, Some(20)),  // first in all, but not for "api"
    ];
    for (grant, scope, priority, end) in terms {
        let mut terms = credits(grant, 10, end);
        (terms.scope, terms.priority) = (scope, Some(priority));
        stage.say(min(0), create(terms));
    }
    let reply = stage.say(min(1), usage(used(1, 45, None)));
    assert_eq!(paid(reply), (vec![(3, 10), (2, 10), (1, 10), (4, 10)], 5));
}
