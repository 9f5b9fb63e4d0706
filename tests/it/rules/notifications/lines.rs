//! Lines that balances cross.

use super::super::stage::{apply, create, credits, min, money, usage, used, void};
use super::super::words::{Call, Create, Of, Purse, Scope, Threshold, Tiding, Usage, Wishes};
use super::{everything, line, lines, told_by, word};

#[test]
fn a_balance_is_low_below_a_line_that_it_had_reached() {
    let mut stage = told_by(&lines(&[line(5, 5)]));
    stage.say(min(0), create(credits(1, 4, None)));
    stage.say(min(1), usage(used(1, 1, None)));
    stage.told();
    // It never was there.
    stage.say(min(2), create(credits(2, 2, None)));
    assert_eq!(stage.told(), ["2: grant.created 2"], "and now it is, which nobody needs to hear");
    stage.say(min(3), usage(used(2, 1, None)));
    stage.say(min(4), usage(used(3, 1, None)));
    assert_eq!(stage.told(), ["3: balance.low 5 at 4"]);
    stage.say(min(5), create(credits(3, 2, None)));
    assert_eq!(stage.told(), ["5: grant.created 3", "5: balance.recovered 5 at 5"]);
    stage.say(min(6), usage(used(4, 1, None)));
    let told = ["6: grant.exhausted 1", "6: balance.low 5 at 4"];
    assert_eq!(stage.told(), told, "each crossing anew");
}

#[test]
fn a_balance_recovers_where_the_line_says_so() {
    let mut stage = told_by(&lines(&[line(5, 8)]));
    stage.say(min(0), create(credits(1, 6, None)));
    stage.say(min(1), usage(used(1, 2, None)));
    assert_eq!(stage.told(), ["0: grant.created 1", "1: balance.low 5 at 4"]);
    stage.reverse(2, 20, Of::Event(1), Some(2));
    stage.say(min(3), usage(used(2, 2, None)));
    assert_eq!(stage.told(), [""; 0], "to 6 and back to 4: it had not recovered");
    stage.say(min(4), create(credits(2, 4, None)));
    assert_eq!(stage.told(), ["4: grant.created 2", "4: balance.recovered 5 at 8"]);
    stage.say(min(5), usage(used(3, 4, None)));
    // Where it recovers may change without making it another line.
    stage.wish(&lines(&[line(5, 7)]));
    stage.say(min(6), create(credits(3, 2, None)));
    stage.wish(&lines(&[line(5, 6)]));
    stage.say(min(7), Call::Sweep);
    let told = [
        "5: grant.exhausted 1",
        "5: balance.low 5 at 4",
        "6: grant.created 3",
        "7: balance.recovered 5 at 6",
    ];
    assert_eq!(stage.told(), told);
}

#[test]
fn a_line_counts_what_could_pay_for_it() {
    let dollars = Threshold { of: Purse::Money("USD"), ..line(5, 5) };
    let mut stage = told_by(&lines(&[line(5, 5), dollars]));
    stage.say(min(0), create(credits(1, 3, None)));
    stage.say(min(0), create(Create { scope: Scope::Metrics(vec!["api"]), ..credits(2, 3, None) }));
    stage.say(min(0), create(Create { scope: Scope::Metrics(vec!["gpu"]), ..credits(3, 9, None) }));
    stage.say(min(0), create(money(4, 5, "USD", None)));
    stage.say(min(0), create(money(5, 9, "KWD", None)));
    stage.told();
    stage.say(min(1), usage(Usage { metric: "gpu", ..used(1, 9, None) }));
    assert_eq!(stage.told(), ["1: grant.exhausted 3"]);
    stage.say(min(1), usage(used(2, 2, None)));
    assert_eq!(stage.told(), ["1: balance.low 5 at 4"]);
    stage.say(min(1), apply(1, 1));
    assert_eq!(stage.told(), ["1: balance.low 5 at 4"]);
}

#[test]
fn what_is_held_counts_beyond_its_grants_end() {
    let mut stage = told_by(&lines(&[line(5, 5), line(2, 2)]));
    stage.say(min(0), create(credits(1, 6, Some(10))));
    stage.hold(0, 1, 3, 20);
    stage.told();
    assert_eq!(stage.sweep(15), ["10: grant.expired 1", "10: balance.low 5 at 3"]);
    assert_eq!(stage.sweep(25), ["20: hold.expired 1", "20: balance.low 2 at 0"]);
}

#[test]
fn a_hold_that_outlives_its_grant_makes_nobody_low() {
    let mut stage = told_by(&lines(&[line(5, 5)]));
    stage.say(min(0), create(credits(1, 4, Some(10))));
    stage.hold(0, 1, 4, 60);
    stage.say(min(20), create(credits(2, 5, None)));
    stage.told();
    assert_eq!(stage.sweep(25), [""; 0]);
    stage.say(min(26), usage(used(1, 1, None)));
    assert_eq!(stage.told(), [""; 0], "8 of 5");
}

#[test]
fn a_voided_grants_end_tells_of_nobody_elses() {
    let mut stage = told_by(&lines(&[line(3, 3)]));
    stage.say(min(0), create(credits(1, 1, Some(10))));
    stage.say(min(0), create(credits(2, 8, Some(10))));
    stage.hold(0, 1, 1, 60);
    stage.say(min(0), void(1));
    stage.news();
    stage.say(min(20), Call::Sweep);
    let told: Vec<_> = stage.news().iter().map(|news| (word(news), news.sequence)).collect();
    let word = |text: &str| (text.to_owned(), 5);
    assert_eq!(told, [word("10: grant.expired 2"), word("10: balance.low 3 at 1")]);
}

#[test]
fn low_and_recovered_by_time_alone() {
    let mut stage = told_by(&lines(&[line(5, 5)]));
    stage.say(min(0), create(credits(1, 6, Some(10))));
    stage.say(min(0), create(Create { effective: Some(min(20)), ..credits(2, 6, Some(30)) }));
    stage.told();
    let told = [
        "10: grant.expired 1",
        "10: balance.low 5 at 0",
        "20: grant.activated 2",
        "20: balance.recovered 5 at 6",
        "30: grant.expired 2",
        "30: balance.low 5 at 0",
    ];
    assert_eq!(stage.sweep(40), told);
}

#[test]
fn a_start_that_nobody_hears_of_counts() {
    let types = vec![Tiding::Low, Tiding::Recovered];
    let mut stage = told_by(&Wishes { endpoints: vec![Some(types)], ..lines(&[line(5, 5)]) });
    stage.say(min(0), create(Create { effective: Some(min(20)), ..credits(1, 6, None) }));
    assert_eq!(stage.sweep(25), [""; 0]);
    stage.say(min(26), usage(used(1, 2, None)));
    assert_eq!(stage.told(), ["26: balance.low 5 at 4"]);
}

#[test]
fn a_line_that_is_gone_is_forgotten() {
    let mut stage = told_by(&lines(&[line(5, 5)]));
    stage.say(min(0), create(credits(1, 9, None)));
    stage.say(min(1), usage(used(1, 5, None)));
    assert_eq!(stage.told(), ["0: grant.created 1", "1: balance.low 5 at 4"]);
    // While nobody hears of it, it is not looked at, and not forgotten.
    stage.wish(&Wishes { endpoints: vec![Some(vec![Tiding::Voided])], ..lines(&[line(5, 5)]) });
    assert_eq!(stage.sweep(2), [""; 0]);
    stage.wish(&everything());
    assert_eq!(stage.sweep(3), [""; 0]);
    stage.wish(&lines(&[line(5, 5)]));
    stage.say(min(4), create(credits(2, 4, None)));
    stage.say(min(5), usage(used(2, 5, None)));
    let told = ["4: grant.created 2", "5: grant.exhausted 1", "5: balance.low 5 at 3"];
    assert_eq!(stage.told(), told, "not recovered from what nobody remembers");
}
