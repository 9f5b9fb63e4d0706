//! Random histories: the domain and the naive model must agree after every call.

use proptest::prelude::*;

use super::books::Books;
use super::config;
use super::history::{History, histories};
use super::naive::Naive;
use super::words::{Call, Micros, News};

/// After so many calls all that can be read is compared; each call's answer is at once.
const READ_EVERY: usize = 6;

/// Where the domain may stand after a call, the model must stand too.
fn agree(history: &History) -> Result<(), TestCaseError> {
    let mut books = Books::new(history.windows);
    let mut naive = Naive::new(history.windows);
    books.wish(&history.wishes);
    naive.wish(&history.wishes);
    // Whether the rows' due instants are those of the present wishes.
    let mut renewed = true;
    for (number, step) in history.steps.iter().enumerate() {
        if let Some(wishes) = &step.wishes {
            books.wish(wishes);
            naive.wish(wishes);
            renewed = false;
        }
        let now = naive.pass(step.clock);
        let expected = naive.answer(&step.said, now);
        let said = std::slice::from_ref(&step.said);
        let answered = books.run(step.replica, step.clock, said);
        prop_assert_eq!(answered, vec![expected], "step {}: {:?}", number, step);
        let told: Vec<News> = naive.news().cloned().collect();
        prop_assert_eq!(books.news(), told, "step {}: {:?}", number, step);
        prop_assert_eq!(books.marks(now), naive.marks(now), "step {}: {:?}", number, step);
        if step.said.call == Call::Sweep {
            renewed = true;
            prop_assert!(
                books.due_next().is_none_or(|due| due > now),
                "step {}: the sweeper comes again",
                number
            );
        }
        prop_assert!(!renewed || books.are_quiet_until_due(), "step {}: {:?}", number, step);
        if number % READ_EVERY == 0 {
            read_alike(&books, &naive, step.clock)?;
        }
    }
    read_alike(&books, &naive, history.clock())?;
    // What a reader is told of the future is what the model comes to by then.
    read_alike(&books, &naive, history.end())
}

fn read_alike(books: &Books, naive: &Naive, clock: Micros) -> Result<(), TestCaseError> {
    let mut then = naive.clone();
    let now = then.pass(clock);
    prop_assert_eq!(books.lines(), naive.lines());
    prop_assert_eq!(books.views(clock), then.views(now));
    prop_assert_eq!(books.holds(clock), then.holds());
    prop_assert_eq!(books.events(), then.events());
    prop_assert_eq!(books.applications(), then.applications());
    prop_assert_eq!(books.balance(clock), then.balance(clock));
    Ok(())
}

proptest! {
    #![proptest_config(config(2_500))]

    #[test]
    fn domain_and_naive_model_agree(history in histories(50)) {
        agree(&history)?;
    }
}
