//! Late events: written by hand.

use super::stage::{Stage, create, credits, min, paid, update, usage, used, void};
use super::words::{Call, Create, Kind, No, ONE, Reply, Scope, Status, Usage};

#[test]
fn between_two_recorded_ones_it_takes_what_is_left() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(100))));
    stage.say(min(10), usage(used(1, 4, None)));
    stage.say(min(20), usage(used(2, 4, None)));
    // Of minute 15: what later events took stays taken.
    let reply = stage.say(min(30), usage(used(3, 4, Some(15))));
    assert_eq!(paid(reply), (vec![(1, 2)], 2));
    let line = stage.books.lines().pop().expect("a line");
    assert_eq!((line.occurred, line.recorded), (min(15), min(30)));
    assert_eq!(stage.view(1, min(30)).status, Status::Exhausted);
}

#[test]
fn it_reclaims_from_an_expired_grant_and_splits_over_a_live_one() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.say(min(0), create(credits(2, 10, None)));
    stage.say(min(10), usage(used(1, 3, None)));
    let reply = stage.say(min(60), usage(used(2, 9, Some(49))));
    assert_eq!(paid(reply), (vec![(1, 7), (2, 2)], 0));
    let expected = [
        (1, Kind::Expired, -7),
        (1, Kind::Reclaimed, 7),
        (1, Kind::Consumed, -7),
        (2, Kind::Consumed, -2),
    ];
    assert_eq!(stage.moves(4), expected);
    let instants: Vec<_> =
        stage.books.lines()[3..].iter().map(|line| (line.occurred, line.recorded)).collect();
    let event = (min(49), min(60));
    assert_eq!(instants, [(min(50), min(50)), event, event, event]);
    // All of it was consumed in the end: it did not expire.
    assert_eq!(stage.view(1, min(60)).status, Status::Exhausted);
}

#[test]
fn it_reclaims_exactly_what_it_takes_and_again() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    for (event, clock) in [(1, 51), (2, 60), (3, 79)] {
        let reply = stage.say(min(clock), usage(used(event, 3, Some(40))));
        assert_eq!(paid(reply), (vec![(1, 3)], 0));
    }
    let view = stage.view(1, min(79));
    assert_eq!((view.consumed, view.expired, view.remaining), (9 * ONE, ONE, 0));
    assert_eq!(view.status, Status::Expired);
    // Minute 80 is the end of the late window.
    let reply = stage.say(min(80), usage(used(4, 1, Some(40))));
    assert_eq!(paid(reply), (vec![], 1));
}

#[test]
fn a_refused_late_event_reclaims_nothing() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    let late = Usage { reject: true, ..used(1, 11, Some(40)) };
    let (requested, available) = (11 * ONE, 10 * ONE);
    let reply = stage.say(min(60), usage(late.clone()));
    assert_eq!(reply, Reply::Refused(No::Insufficient { requested, available }));
    assert_eq!(stage.moves(2), [(1, Kind::Expired, -10)]);
    // Its key is not burnt.
    let reply = stage.say(min(61), usage(Usage { quantity: 10 * ONE, ..late }));
    assert_eq!(paid(reply), (vec![(1, 10)], 0));
}

#[test]
fn the_order_holds_among_expired_and_live_grants() {
    let mut stage = Stage::new();
    // First by priority though it is still live; the expired one comes second.
    let first = Create { priority: Some(1), ..credits(1, 2, None) };
    stage.say(min(0), create(first));
    stage.say(min(0), create(credits(2, 2, Some(50))));
    stage.say(min(0), create(credits(3, 2, None)));
    let reply = stage.say(min(60), usage(used(1, 5, Some(20))));
    assert_eq!(paid(reply), (vec![(1, 2), (2, 2), (3, 1)], 0));
}

#[test]
fn voids_and_other_scopes_give_nothing_back() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    let tied = Create { scope: Scope::Metrics(vec!["gpu"]), ..credits(2, 10, Some(50)) };
    stage.say(min(0), create(tied));
    let money = Create { scope: Scope::Money("USD"), ..credits(3, 10, Some(50)) };
    stage.say(min(0), create(money));
    stage.say(min(20), void(1));
    let reply = stage.say(min(60), usage(used(1, 1, Some(10))));
    assert_eq!(paid(reply), (vec![], 1));
}

#[test]
fn a_grant_that_was_extended_needs_no_reclaim() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    let mut longer = update(1);
    longer.expires = Some(None);
    stage.say(min(49), Call::Update(longer));
    let reply = stage.say(min(60), usage(used(1, 4, Some(49))));
    assert_eq!(paid(reply), (vec![(1, 4)], 0));
    assert_eq!(stage.moves(2), [(1, Kind::Updated, 0), (1, Kind::Consumed, -4)]);
}

#[test]
fn a_grant_made_later_may_cover_an_earlier_timestamp_but_no_recorded_event() {
    let mut stage = Stage::new();
    let early = stage.say(min(10), usage(used(1, 4, Some(5))));
    assert_eq!(paid(early), (vec![], 4));
    stage.say(min(20), create(credits(1, 10, None)));
    let again = stage.say(min(21), usage(used(1, 4, Some(5))));
    let Reply::Usage { event, duplicate: true } = again else { panic!("{again:?}") };
    assert_eq!((event.uncovered, event.paid), (4 * ONE, vec![]));
    // Effective from minute 0, it pays for minute 5 when that is told only now.
    let reply = stage.say(min(22), usage(used(2, 4, Some(5))));
    assert_eq!(paid(reply), (vec![(1, 4)], 0));
}
