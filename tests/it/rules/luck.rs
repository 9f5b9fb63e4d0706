//! Nothing depends on the sweeper's luck, nor on how calls fall into batches.

use proptest::collection::vec;
use proptest::prelude::*;

use super::books::{Books, REPLICAS};
use super::config;
use super::history::{Step, histories};
use super::words::{Call, Create, MINUTE, Micros, Said, Update};

const SWEEP: Said = Said { actor: "creditd", call: Call::Sweep };

/// The same account at `clock`, whoever booked it and when.
fn same(a: &Books, b: &Books, clock: Micros) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.balance(clock), b.balance(clock));
    prop_assert_eq!(a.views(clock), b.views(clock));
    prop_assert_eq!(a.holds(clock), b.holds(clock));
    Ok(())
}

/// Instants in between at which a sweeper might come by: each that something falls due at, and
/// some by chance.
fn visits(from: Micros, to: Micros, due: &[Micros], chance: &[u16]) -> Vec<Micros> {
    let between = |at: &Micros| (from..=to).contains(at);
    let mut visits: Vec<Micros> = due.iter().copied().filter(between).collect();
    visits.extend(chance.iter().map(|part| from + (to - from) * Micros::from(*part) / 65_535));
    visits.sort_unstable();
    visits
}

/// Ends of grants and of their late windows, and deadlines of holds.
fn due_instants(steps: &[Step], late: Micros) -> Vec<Micros> {
    let due = steps.iter().flat_map(|step| match &step.said.call {
        Call::Create(Create { expires: Some(end), .. })
        | Call::Update(Update { expires: Some(Some(end)), .. }) => vec![*end, end + late],
        Call::Aside(aside) => vec![step.clock + aside.ttl.unwrap_or(15 * MINUTE)],
        Call::Extend(extend) => vec![step.clock + extend.ttl],
        _ => Vec::new(),
    });
    due.collect()
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_sweepers_luck_changes_nothing(
        history in histories(40),
        chance in vec(vec(any::<u16>(), 0..3), 40),
        diligent in any::<bool>(),
    ) {
        let history = history.forward().of_one_mind();
        let mut left_alone = Books::new(history.windows);
        let mut swept = Books::new(history.windows);
        left_alone.wish(&history.wishes);
        swept.wish(&history.wishes);
        let due = due_instants(&history.steps, history.windows.late_usage);
        let mut from = history.steps[0].clock;
        for (step, chance) in history.steps.iter().zip(&chance) {
            let known: &[Micros] = if diligent { &due } else { &[] };
            for at in visits(from, step.clock, known, chance) {
                swept.run(REPLICAS, at, &[SWEEP]);
                same(&left_alone, &swept, at)?;
            }
            from = step.clock;
            let said = std::slice::from_ref(&step.said);
            let reply = left_alone.run(step.replica, step.clock, said);
            prop_assert_eq!(reply, swept.run(step.replica, step.clock, said));
            prop_assert_eq!(left_alone.lines(), swept.lines());
            prop_assert_eq!(left_alone.news(), swept.news());
            same(&left_alone, &swept, step.clock)?;
        }
        prop_assert_eq!(left_alone.events(), swept.events());
        prop_assert_eq!(left_alone.applications(), swept.applications());
        let end = history.end();
        for at in visits(from, end, &due, &[1, 2, 3, u16::MAX]) {
            swept.run(REPLICAS, at, &[SWEEP]);
        }
        same(&left_alone, &swept, end)?;
        left_alone.run(REPLICAS, end, &[SWEEP]);
        prop_assert_eq!(left_alone.lines(), swept.lines());
        prop_assert_eq!(left_alone.news(), swept.news());
        same(&left_alone, &swept, end)?;
    }

    #[test]
    fn a_batch_equals_its_commands_one_by_one(
        history in histories(60),
        sizes in vec(1..12_usize, 60),
    ) {
        let mut together = Books::new(history.windows);
        let mut one_by_one = Books::new(history.windows);
        together.wish(&history.wishes);
        one_by_one.wish(&history.wishes);
        let mut steps = history.steps.as_slice();
        for size in sizes {
            let Some(first) = steps.first() else { break };
            let (batch, rest) = steps.split_at(size.min(steps.len()));
            steps = rest;
            // The first of a batch has a say in what is to be told.
            if let Some(wishes) = &first.wishes {
                together.wish(wishes);
                one_by_one.wish(wishes);
            }
            let said: Vec<Said> = batch.iter().map(|step| step.said.clone()).collect();
            let replies = together.run(first.replica, first.clock, &said);
            let mut singles = Vec::new();
            for step in batch {
                let said = std::slice::from_ref(&step.said);
                singles.extend(one_by_one.run(step.replica, first.clock, said));
            }
            prop_assert_eq!(replies, singles);
            prop_assert_eq!(together.lines(), one_by_one.lines());
            prop_assert_eq!(together.news(), one_by_one.news());
            prop_assert_eq!(together.marks(first.clock), one_by_one.marks(first.clock));
            prop_assert_eq!(together.last_recorded(), one_by_one.last_recorded());
            prop_assert_eq!(together.knows_customer(), one_by_one.knows_customer());
            prop_assert_eq!(together.events(), one_by_one.events());
            prop_assert_eq!(together.applications(), one_by_one.applications());
            same(&together, &one_by_one, first.clock)?;
        }
    }
}
