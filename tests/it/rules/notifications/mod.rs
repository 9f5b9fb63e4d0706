//! Cases written by hand: what is told, when, and how often.

mod lines;

use super::stage::{
    Stage, apply, create, credits, extend, min, money, settle, update, usage, used, void,
};
use super::words::{
    About, Call, Create, MINUTE, Micros, News, ONE, Of, Purse, Reply, Scope, Threshold, Tiding,
    Update, Wishes,
};

/// Everything to one endpoint, without warnings and thresholds.
fn everything() -> Wishes {
    Wishes { endpoints: vec![None], ..Wishes::default() }
}

/// Warnings so many minutes ahead.
fn warnings(minutes: &[Micros]) -> Wishes {
    let periods = minutes.iter().map(|minutes| minutes * MINUTE).collect();
    Wishes { periods, ..everything() }
}

/// A line for "api".
fn line(amount: i128, recover_at: i128) -> Threshold {
    let of = Purse::Metric("api");
    Threshold { of, amount: amount * ONE, recover_at: recover_at * ONE }
}

fn lines(thresholds: &[Threshold]) -> Wishes {
    Wishes { thresholds: thresholds.to_vec(), ..everything() }
}

fn told_by(wishes: &Wishes) -> Stage {
    let mut stage = Stage::new();
    stage.wish(wishes);
    stage
}

/// A new end for a grant.
fn moved(grant: u32, minute: Micros) -> Call {
    Call::Update(Update { expires: Some(Some(min(minute))), ..update(grant) })
}

fn word(news: &News) -> String {
    let minute = |at: Micros| (at - min(0)) / MINUTE;
    let about = match &news.about {
        About::Grant(_, view) => view.grant.to_string(),
        About::Expiring(period, view) => format!("{}, {} ahead", view.grant, period / MINUTE),
        About::HoldExpired(hold) => hold.aside.hold.to_string(),
        About::Low(threshold, left) | About::Recovered(threshold, left) => {
            format!("{} at {}", threshold.amount / ONE, left / ONE)
        }
    };
    format!("{}: {} {about}", minute(news.at), news.tiding().name())
}

impl Stage {
    /// What was told since it was asked for last: the minute, the type, and about what.
    fn told(&mut self) -> Vec<String> {
        self.news().iter().map(word).collect()
    }

    /// The sweeper comes by.
    fn sweep(&mut self, minute: Micros) -> Vec<String> {
        self.say(min(minute), Call::Sweep);
        self.told()
    }
}

#[test]
fn a_grants_life_is_told_at_its_instants() {
    let mut stage = told_by(&everything());
    let pending = Create { effective: Some(min(10)), ..credits(1, 5, Some(30)) };
    stage.say(min(0), create(pending));
    assert_eq!(stage.told(), ["0: grant.created 1"]);
    // Nobody came by in between.
    assert_eq!(stage.sweep(50), ["10: grant.activated 1", "30: grant.expired 1"]);
    assert_eq!(stage.sweep(60), [""; 0]);
}

#[test]
fn repetitions_and_refusals_tell_nothing() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, None)));
    stage.say(min(1), usage(used(1, 5, None)));
    assert_eq!(stage.told(), ["0: grant.created 1", "1: grant.exhausted 1"]);
    stage.say(min(2), create(Create { grant: 2, ..credits(1, 5, None) }));
    stage.say(min(2), usage(used(1, 5, None)));
    stage.say(min(2), void(1));
    stage.say(min(2), usage(used(2, 1, None)));
    assert_eq!(stage.told(), [""; 0]);
    stage.say(min(3), create(credits(3, 5, None)));
    stage.say(min(3), void(3));
    stage.say(min(3), void(3));
    assert_eq!(stage.told(), ["3: grant.created 3", "3: grant.voided 3"]);
}

#[test]
fn exhausted_is_told_again_after_a_reversal() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, None)));
    stage.say(min(1), usage(used(1, 5, None)));
    stage.reverse(2, 20, Of::Event(1), Some(2));
    stage.say(min(3), usage(used(2, 1, None)));
    stage.say(min(4), usage(used(3, 4, None)));
    let told = ["0: grant.created 1", "1: grant.exhausted 1", "4: grant.exhausted 1"];
    assert_eq!(stage.told(), told);
}

#[test]
fn an_invoice_exhausts_too_and_what_comes_together_tells_how_it_stands_after_all_of_it() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(money(1, 5, "USD", None)));
    stage.say(min(0), create(money(2, 5, "USD", None)));
    stage.news();
    stage.say(min(1), apply(1, 12));
    let news = stage.news();
    let told: Vec<String> = news.iter().map(word).collect();
    assert_eq!(told, ["1: grant.exhausted 1", "1: grant.exhausted 2"]);
    for news in news {
        assert_eq!((news.sequence, news.totals), (4, vec![]));
    }
}

#[test]
fn late_usage_that_takes_all_that_had_expired_exhausts() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, Some(10))));
    stage.say(min(12), usage(used(1, 3, Some(5))));
    stage.say(min(13), usage(used(2, 2, Some(5))));
    let told = ["0: grant.created 1", "10: grant.expired 1", "13: grant.exhausted 1"];
    assert_eq!(stage.told(), told, "with something expired still, it was not exhausted");
}

#[test]
fn an_end_is_told_once_and_counts_what_is_held() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, Some(10))));
    stage.hold(1, 1, 5, 20);
    // Nothing is booked at the end, for all of it is held; what is lost at the deadline was told.
    let told = ["0: grant.created 1", "10: grant.expired 1", "20: hold.expired 1"];
    assert_eq!(stage.sweep(30), told);
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, Some(10))));
    stage.say(min(1), usage(used(1, 5, None)));
    // Nothing was left to expire; what comes back later is forfeited without a word.
    stage.reverse(15, 20, Of::Event(1), None);
    assert_eq!(stage.told(), ["0: grant.created 1", "1: grant.exhausted 1"]);
}

#[test]
fn one_instant_has_an_order() {
    let wishes = Wishes { thresholds: vec![line(5, 5)], ..warnings(&[10]) };
    // At no instant is anything below the line.
    let told = [
        "10: grant.expiring 2, 10 ahead",
        "20: hold.expired 1",
        "20: grant.expired 2",
        "20: grant.activated 3",
        "20: grant.expiring 1, 10 ahead",
    ];
    let mut stage = told_by(&wishes);
    stage.say(min(0), create(credits(1, 4, Some(30))));
    stage.say(min(0), create(credits(2, 3, Some(20))));
    stage.say(min(0), create(Create { effective: Some(min(20)), ..credits(3, 9, None) }));
    stage.hold(0, 1, 2, 20);
    stage.told();
    assert_eq!(stage.sweep(20), told);
}

#[test]
fn a_jump_over_warning_and_end_sends_both() {
    let mut stage = told_by(&warnings(&[20, 10]));
    stage.say(min(0), create(credits(1, 5, Some(30))));
    stage.told();
    let told =
        ["10: grant.expiring 1, 20 ahead", "20: grant.expiring 1, 10 ahead", "30: grant.expired 1"];
    assert_eq!(stage.sweep(90), told);
    assert_eq!(stage.sweep(99), [""; 0]);
}

#[test]
fn a_grant_made_within_its_periods_is_warned_of_at_once() {
    let mut stage = told_by(&warnings(&[20, 10]));
    stage.say(min(0), create(credits(1, 5, Some(5))));
    let told =
        ["0: grant.created 1", "0: grant.expiring 1, 20 ahead", "0: grant.expiring 1, 10 ahead"];
    assert_eq!(stage.told(), told);
    assert_eq!(stage.sweep(90), ["5: grant.expired 1"]);
}

#[test]
fn each_end_is_warned_of_once() {
    let mut stage = told_by(&warnings(&[10]));
    stage.say(min(0), create(credits(1, 5, Some(30))));
    stage.told();
    assert_eq!(stage.sweep(25), ["20: grant.expiring 1, 10 ahead"]);
    stage.say(min(25), moved(1, 60));
    assert_eq!(stage.told(), [""; 0]);
    stage.say(min(26), moved(1, 28));
    assert_eq!(stage.told(), ["26: grant.expiring 1, 10 ahead"], "another end, and near");
    stage.say(min(27), moved(1, 30));
    assert_eq!(stage.told(), [""; 0], "this one was warned of");
    assert_eq!(stage.sweep(90), ["30: grant.expired 1"]);
}

#[test]
fn of_a_spent_grant_nobody_is_warned_until_something_comes_back() {
    let mut stage = told_by(&warnings(&[20]));
    stage.say(min(0), create(credits(1, 5, Some(30))));
    stage.say(min(1), usage(used(1, 5, None)));
    stage.told();
    assert_eq!(stage.sweep(15), [""; 0]);
    stage.reverse(16, 20, Of::Event(1), Some(1));
    stage.reverse(17, 22, Of::Event(1), Some(1));
    assert_eq!(stage.told(), ["16: grant.expiring 1, 20 ahead"]);
}

#[test]
fn of_a_voided_grant_nobody_is_warned() {
    let mut stage = told_by(&warnings(&[20]));
    stage.say(min(0), create(credits(1, 5, Some(30))));
    stage.hold(0, 1, 2, 40);
    stage.say(min(1), void(1));
    stage.told();
    assert_eq!(stage.sweep(90), ["40: hold.expired 1"], "no warning, and no end either");
}

#[test]
fn a_period_that_is_asked_for_later_begins_at_once() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, Some(30))));
    stage.say(min(0), create(credits(2, 5, Some(8))));
    stage.say(min(15), create(credits(3, 5, None)));
    stage.told();
    stage.wish(&warnings(&[25]));
    assert_eq!(stage.sweep(16), ["16: grant.expiring 1, 25 ahead"], "and none of what has ended");
    // Nobody hears of it for a while; then somebody does, and that one was told.
    stage.wish(&Wishes { endpoints: vec![Some(vec![Tiding::Voided])], ..warnings(&[25, 20]) });
    assert_eq!(stage.sweep(17), [""; 0]);
    stage.wish(&warnings(&[25, 20]));
    assert_eq!(stage.sweep(18), ["18: grant.expiring 1, 20 ahead"]);
}

#[test]
fn an_endpoint_hears_of_what_is_decided_after_it_was_made() {
    let mut stage = told_by(&Wishes::default());
    let pending = Create { effective: Some(min(10)), ..credits(1, 5, Some(30)) };
    stage.say(min(0), create(pending));
    stage.say(min(12), create(credits(2, 5, None)));
    assert_eq!(stage.told(), [""; 0]);
    stage.wish(&Wishes { endpoints: vec![Some(vec![Tiding::Expired])], ..Wishes::default() });
    stage.say(min(40), create(credits(3, 5, None)));
    assert_eq!(stage.told(), ["30: grant.expired 1"]);
}

/// A grant whose end is long past, and which still holds something, is no news to anybody.
/// The end of a voided grant brings nothing, so that what comes with it is told with its own entry.
/// Starts move balances, whether or not anybody is told of them.
#[test]
fn a_settlement_tells_of_what_it_spent() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 3, Some(90))));
    stage.say(min(0), create(credits(2, 3, None)));
    stage.hold(0, 1, 5, 60);
    stage.told();
    let reply = stage.say(min(1), settle(1, 3));
    assert!(matches!(reply, Reply::Settled { .. }));
    assert_eq!(stage.told(), ["1: grant.exhausted 1"]);
}

#[test]
fn only_a_start_that_time_brings_is_told() {
    let mut stage = told_by(&everything());
    let pending = |number| Create { effective: Some(min(4)), ..credits(number, 5, None) };
    stage.say(min(0), create(credits(1, 5, None)));
    stage.say(min(0), create(Create { scope: Scope::Metrics(vec!["api"]), ..pending(2) }));
    stage.say(min(0), create(Create { scope: Scope::Money("USD"), ..pending(3) }));
    // One is spent ahead of its start, the other one is voided.
    stage.say(min(0), usage(used(1, 5, Some(4))));
    stage.say(min(0), void(3));
    let told = ["0: grant.created 1", "0: grant.created 2", "0: grant.created 3"];
    assert_eq!(stage.told(), [&told[..], &["0: grant.exhausted 2", "0: grant.voided 3"]].concat());
    assert_eq!(stage.sweep(10), [""; 0], "live from the beginning, spent, voided");
}

#[test]
fn a_hold_is_told_of_at_its_deadline_only() {
    let mut stage = told_by(&everything());
    stage.say(min(0), create(credits(1, 5, None)));
    stage.hold(0, 1, 1, 10);
    stage.hold(0, 2, 1, 10);
    stage.hold(0, 3, 1, 10);
    stage.settle(1, 1, 1);
    stage.say(min(1), Call::Release(2));
    stage.say(min(1), extend(3, 20));
    stage.told();
    assert_eq!(stage.sweep(30), ["21: hold.expired 3"]);
}
