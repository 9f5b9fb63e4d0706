//! Random histories: the domain and the naive model must agree after every call.

use proptest::prelude::*;

use super::books::Books;
use super::config;
use super::history::{History, histories};
use super::naive::Naive;

/// Where the domain may stand after a call, the model must stand too.
fn agree(history: &History) -> Result<(), TestCaseError> {
    let mut books = Books::new(history.windows);
    let mut naive = Naive::new(history.windows);
    for (number, step) in history.steps.iter().enumerate() {
        let now = naive.pass(step.clock);
        let expected = naive.answer(&step.said, now);
        let said = std::slice::from_ref(&step.said);
        let answered = books.run(step.replica, step.clock, said);
        prop_assert_eq!(answered, vec![expected], "step {}: {:?}", number, step);
        prop_assert_eq!(books.lines(), naive.lines(), "step {}: {:?}", number, step);
        prop_assert_eq!(books.views(step.clock), naive.views(now), "step {}: {:?}", number, step);
        prop_assert_eq!(books.holds(step.clock), naive.holds(), "step {}: {:?}", number, step);
        prop_assert_eq!(books.events(), naive.events(), "step {}: {:?}", number, step);
        let (applied, expected) = (books.applications(), naive.applications());
        prop_assert_eq!(applied, expected, "step {}: {:?}", number, step);
        let (balance, expected) = (books.balance(step.clock), naive.balance(step.clock));
        prop_assert_eq!(balance, expected, "step {}: {:?}", number, step);
    }
    // What a reader is told of the future is what the model comes to by then.
    let end = history.end();
    let mut then = naive;
    let now = then.pass(end);
    prop_assert_eq!(books.balance(end), then.balance(end));
    prop_assert_eq!(books.views(end), then.views(now));
    prop_assert_eq!(books.holds(end), then.holds());
    Ok(())
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn domain_and_naive_model_agree(history in histories(50)) {
        agree(&history)?;
    }
}
