//! A grant as it was: taking back what came after an instant is the same as never having heard of
//! it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::books::Books;
use super::config;
use super::history::{History, histories};
use super::naive::Naive;
use super::words::{MINUTE, Micros, View};

/// Notes keep no history, and the time of a later change is not told.
fn kept(views: Vec<View>, at: Micros) -> Vec<View> {
    let keep = |view: View| View {
        description: String::new(),
        metadata: String::new(),
        updated: view.updated.min(at + 1),
        ..view
    };
    views.into_iter().map(keep).collect()
}

fn agree(history: &History) -> Result<(), TestCaseError> {
    let mut books = Books::new(history.windows);
    let mut naive = Naive::new(history.windows);
    let mut instants = BTreeSet::new();
    for step in &history.steps {
        let now = naive.pass(step.clock);
        naive.answer(&step.said, now);
        books.run(step.replica, step.clock, std::slice::from_ref(&step.said));
        instants.extend([now, step.clock]);
    }
    instants.extend(naive.lines().iter().flat_map(|line| [line.recorded, line.recorded - 1]));
    // A while later, with more that is due and that nobody has booked.
    let mut last = naive.clone();
    let end = last.pass(history.clock() + 5 * MINUTE);
    let last = last.views(end);
    instants.retain(|at| *at <= end);
    instants.insert(end);
    for at in instants {
        let mut then = naive.recorded_by(at);
        let now = then.pass(at);
        prop_assert_eq!(now, at);
        prop_assert_eq!(books.past_balance(at), then.balance(at), "as of {}", at);
        let mut expected = then.views(at);
        // What came later changed it, so that the time of its last change is not known.
        for view in &mut expected {
            let last = last.iter().find(|last| last.grant == view.grant);
            view.updated = last.map_or(view.updated, |last| last.updated);
        }
        prop_assert_eq!(kept(books.as_of(at, end), at), kept(expected, at), "as of {}", at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn what_came_later_is_taken_back(history in histories(40)) {
        agree(&history)?;
    }
}
