//! Holds: cases written by hand.

use super::stage::{
    Stage, aside, create, credits, extend, held, min, settle, update, usage, used, void, whole,
};
use super::words::{
    Aside, Call, Create, HoldStatus, Kind, MINUTE, No, ONE, Reply, Scope, Settle, Status, Usage,
};

#[test]
fn a_hold_takes_the_order_of_consumption_and_nobody_else_spends_it() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.say(min(0), create(credits(2, 4, Some(50))));
    let hold = stage.hold(1, 1, 6, 20);
    assert_eq!(whole(&hold.slices), [(2, 4), (1, 2)]);
    assert_eq!((hold.held, hold.settled, hold.released), (6 * ONE, 0, 0));
    let reply = stage.say(min(2), usage(Usage { reject: true, ..used(9, 9, None) }));
    let (requested, available) = (9 * ONE, 8 * ONE);
    assert_eq!(reply, Reply::Refused(No::Insufficient { requested, available }));
    let again = stage.say(min(2), Call::Aside(aside(2, 9, 10)));
    assert_eq!(again, Reply::Refused(No::Insufficient { requested, available }));
    assert_eq!(stage.figures(1, min(2)), [10, 2, 0, 0, 0]);
}

#[test]
fn a_part_is_held_where_that_is_allowed_and_something_always_is() {
    let mut stage = Stage::new();
    let partly = |hold, quantity| Aside { partial: true, ..aside(hold, quantity, 10) };
    let nothing = stage.say(min(0), Call::Aside(partly(1, 5)));
    let refused = Reply::Refused(No::Insufficient { requested: 5 * ONE, available: 0 });
    assert_eq!(nothing, refused);
    assert!(!stage.books.knows_customer());
    stage.say(min(0), create(credits(1, 3, None)));
    let hold = held(stage.say(min(0), Call::Aside(partly(1, 5))));
    assert_eq!((hold.held, hold.aside.quantity), (3 * ONE, 5 * ONE));
    assert_eq!(stage.say(min(0), Call::Aside(partly(2, 5))), refused);
}

#[test]
fn only_what_pays_now_is_held() {
    let mut stage = Stage::new();
    let later = Create { effective: Some(min(1)), ..credits(1, 10, None) };
    stage.say(min(0), create(later));
    stage.say(min(0), create(credits(2, 10, Some(1))));
    let gpu = Scope::Metrics(vec!["gpu"]);
    stage.say(min(0), create(Create { scope: gpu, ..credits(3, 10, None) }));
    stage.say(min(0), create(Create { scope: Scope::Money("USD"), ..credits(4, 10, None) }));
    let hold = stage.hold(0, 1, 10, 5);
    assert_eq!(whole(&hold.slices), [(2, 10)]);
    // At minute 1 the second has ended, the first has begun.
    let hold = stage.hold(1, 2, 10, 5);
    assert_eq!(whole(&hold.slices), [(1, 10)]);
}

#[test]
fn a_grant_that_expires_while_held_keeps_what_is_held() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.hold(40, 1, 4, 60);
    assert_eq!(stage.figures(1, min(50)), [4, 4, 0, 6, 0]);
    assert_eq!(stage.view(1, min(50)).status, Status::Expired);
    // It pays for its hold, and for nothing else.
    let (hold, event) = stage.settle(55, 1, 5);
    assert_eq!((whole(&event.paid), event.uncovered), (vec![(1, 4)], ONE));
    assert_eq!((hold.status, hold.settled), (HoldStatus::Settled, 4 * ONE));
    assert_eq!(stage.figures(1, min(55)), [0, 0, 4, 6, 0]);
    let expected = [(1, Kind::Held, 0), (1, Kind::Expired, -6), (1, Kind::Consumed, -4)];
    assert_eq!(stage.moves(2), expected);
}

#[test]
fn what_is_released_after_the_expiry_expires() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.hold(40, 1, 4, 60);
    stage.hold(40, 2, 3, 70);
    stage.say(min(55), Call::Release(1));
    // The other one's deadline comes by itself.
    stage.say(min(80), Call::Sweep);
    let expected = [
        (1, Kind::Expired, -3),
        (1, Kind::Released, 0),
        (1, Kind::Expired, -4),
        (1, Kind::Released, 0),
        (1, Kind::Expired, -3),
    ];
    assert_eq!(stage.moves(4), expected);
    let lines = stage.books.lines();
    let told: Vec<_> =
        lines[5..].iter().map(|line| (line.actor.as_str(), line.occurred, line.hold)).collect();
    let (ops, time) = (("ops", min(55), Some(1)), ("creditd", min(70), Some(2)));
    assert_eq!(told, [ops, time, time]);
    assert_eq!(stage.held(2, min(80)).ended, Some(min(70)));
}

#[test]
fn a_deadline_at_the_instant_of_the_expiry_comes_first() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.hold(40, 1, 4, 50);
    stage.say(min(60), Call::Sweep);
    // Released, and then all of it expires at once.
    assert_eq!(stage.moves(3), [(1, Kind::Released, 0), (1, Kind::Expired, -10)]);
    let instants: Vec<_> = stage.books.lines()[2..].iter().map(|line| line.recorded).collect();
    assert_eq!(instants, [min(50), min(50)]);
}

#[test]
fn deadlines_of_one_instant_go_by_the_bytes_of_their_ids() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(0, 9, 1, 20);
    stage.hold(0, 10, 1, 20);
    stage.say(min(20), Call::Sweep);
    let holds: Vec<_> = stage.books.lines()[3..].iter().map(|line| line.hold).collect();
    assert_eq!(holds, [Some(10), Some(9)]);
}

#[test]
fn a_void_takes_what_is_not_held_and_the_rest_when_it_comes_free() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.hold(1, 1, 4, 20);
    stage.hold(1, 2, 6, 60);
    // All of it is held: nothing can be taken yet.
    stage.say(min(2), void(1));
    assert_eq!(stage.figures(1, min(2)), [10, 10, 0, 0, 0]);
    assert_eq!(stage.view(1, min(2)).status, Status::Voided);
    let balance = stage.books.balance(min(2));
    assert_eq!((balance.parts[0].available, balance.parts[0].held), (0, 10 * ONE));
    assert!(balance.upcoming.is_empty());
    stage.settle(3, 1, 1);
    // The other hold ends after the expiry: voided wins.
    stage.say(min(60), Call::Sweep);
    let expected = [
        (1, Kind::Voided, 0),
        (1, Kind::Consumed, -1),
        (1, Kind::Released, 0),
        (1, Kind::Voided, -3),
        (1, Kind::Released, 0),
        (1, Kind::Voided, -6),
    ];
    assert_eq!(stage.moves(4), expected);
    assert_eq!(stage.figures(1, min(60)), [0, 0, 1, 0, 9]);
    assert_eq!(stage.view(1, min(60)).voided_at, Some((min(2), "fraud".to_owned())));
}

#[test]
fn settling_takes_held_credits_first_then_others_then_none() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 4, 20);
    stage.say(min(1), create(credits(2, 3, Some(50))));
    // The second would be consumed first; but the hold's own credits go before.
    let (hold, event) = stage.settle(2, 1, 15);
    assert_eq!((hold.settled, hold.released, hold.held), (4 * ONE, 0, 0));
    assert_eq!(whole(&event.paid), [(1, 10), (2, 3)]);
    assert_eq!(event.uncovered, 2 * ONE);
    let expected = [(1, Kind::Consumed, -4), (2, Kind::Consumed, -3), (1, Kind::Consumed, -6)];
    assert_eq!(stage.moves(4), expected);
    let held: Vec<_> = stage.books.lines()[3..].iter().map(|line| line.held_amount / ONE).collect();
    assert_eq!(held, [-4, 0, 0]);
}

#[test]
fn settling_takes_held_credits_whatever_the_timestamp_and_others_by_it() {
    let mut stage = Stage::new();
    stage.say(min(0), create(Create { effective: Some(min(10)), ..credits(1, 4, None) }));
    stage.say(min(0), create(credits(2, 4, Some(20))));
    stage.hold(10, 1, 8, 40);
    stage.say(min(10), create(credits(3, 4, Some(12))));
    // Of minute 5: before the first began. The third has expired since and is reclaimed.
    let early = Settle { hold: 1, event: 7, quantity: 11 * ONE, at: Some(min(5)) };
    let reply = stage.say(min(30), Call::Settle(early));
    let Reply::Settled { event, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(whole(&event.paid), [(2, 4), (1, 4), (3, 3)]);
    assert_eq!((event.at, event.recorded, event.hold), (min(5), min(30), Some(1)));
    let expected = [
        (2, Kind::Consumed, -4),
        (1, Kind::Consumed, -4),
        (3, Kind::Reclaimed, 3),
        (3, Kind::Consumed, -3),
    ];
    assert_eq!(stage.moves(7), expected);
}

#[test]
fn settling_with_nothing_releases_all() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 4, 20);
    let (hold, event) = stage.settle(2, 1, 0);
    assert_eq!((hold.status, hold.settled, hold.released), (HoldStatus::Settled, 0, 4 * ONE));
    assert_eq!((event.paid, event.lines), (vec![], None));
    assert_eq!(stage.moves(3), [(1, Kind::Released, 0)]);
    assert_eq!(stage.figures(1, min(2)), [10, 0, 0, 0, 0]);
}

#[test]
fn settling_after_the_deadline_takes_what_is_available_once() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 8, 20);
    // At the deadline itself it is too late already, and others have been quicker.
    stage.say(min(20), usage(used(9, 7, None)));
    let (hold, event) = stage.settle(20, 1, 5);
    assert_eq!((hold.status, hold.settled, hold.released), (HoldStatus::Settled, 0, 8 * ONE));
    assert_eq!((hold.ended, hold.event), (Some(min(20)), Some(1)));
    assert_eq!((whole(&event.paid), event.uncovered), (vec![(1, 3)], 2 * ONE));
    let other = Settle { hold: 1, event: 2, quantity: ONE, at: None };
    let reply = stage.say(min(21), Call::Settle(other));
    assert_eq!(reply, Reply::Refused(No::HoldNotOpen(HoldStatus::Settled)));
}

#[test]
fn a_settlement_is_repeated_by_its_event() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 4, 20);
    let first = stage.settle(2, 1, 3);
    assert_eq!(stage.settle(300, 1, 3), first, "long after, out of every window");
    let refused = [
        (Settle { hold: 1, event: 1, quantity: 4 * ONE, at: None }, No::EventIdReused),
        (
            Settle { hold: 1, event: 2, quantity: 3 * ONE, at: None },
            No::HoldNotOpen(HoldStatus::Settled),
        ),
        (Settle { hold: 9, event: 1, quantity: 3 * ONE, at: None }, No::HoldNotFound),
    ];
    for (settle, no) in refused {
        assert_eq!(stage.say(min(300), Call::Settle(settle)), Reply::Refused(no));
    }
    // A meter that knows nothing of the hold repeats it, too; policy and metadata are its own.
    let meter = Usage { reject: true, metadata: "x", ..used(1, 3, None) };
    let reply = stage.say(min(300), usage(meter.clone()));
    assert_eq!(reply, Reply::Usage { event: first.1, duplicate: true });
    for other in [Usage { metric: "gpu", ..meter.clone() }, Usage { quantity: ONE, ..meter }] {
        assert_eq!(stage.say(min(300), usage(other)), Reply::Refused(No::EventIdReused));
    }
    assert_eq!(stage.books.lines().len(), 4);
}

#[test]
fn an_event_recorded_outside_the_hold_settles_nothing() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 4, 20);
    stage.hold(1, 2, 4, 20);
    stage.say(min(2), usage(used(1, 2, None)));
    // To the letter what was recorded, but not by this hold; nor by the other one.
    assert_eq!(stage.say(min(3), settle(1, 2)), Reply::Refused(No::EventIdReused));
    stage.settle(3, 2, 2);
    let others = Settle { hold: 1, event: 2, quantity: 2 * ONE, at: None };
    assert_eq!(stage.say(min(3), Call::Settle(others)), Reply::Refused(No::EventIdReused));
    assert_eq!(stage.held(1, min(3)).status, HoldStatus::Open);
}

#[test]
fn a_settlement_out_of_the_window_is_refused_and_leaves_the_hold() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(101, 1, 4, 120);
    let old = Settle { hold: 1, event: 1, quantity: ONE, at: Some(min(1) - 1) };
    assert_eq!(stage.say(min(101), Call::Settle(old)), Reply::Refused(No::OutOfWindow));
    assert_eq!(stage.held(1, min(101)).held, 4 * ONE);
}

#[test]
fn what_has_ended_is_not_extended_and_what_is_open_may_end_sooner() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    for hold in 1..=4 {
        stage.hold(0, hold, 1, 20);
    }
    assert_eq!(held(stage.say(min(1), extend(1, 30))).deadline, min(31));
    assert_eq!(held(stage.say(min(2), extend(1, 1))).deadline, min(3));
    assert_eq!(stage.held(1, min(3)).status, HoldStatus::Expired);
    stage.settle(4, 2, 1);
    stage.say(min(4), Call::Release(3));
    let ended = [(1, HoldStatus::Expired), (2, HoldStatus::Settled), (3, HoldStatus::Released)];
    for (hold, status) in ended {
        let refused = Reply::Refused(No::HoldNotOpen(status));
        assert_eq!(stage.say(min(5), extend(hold, 30)), refused);
    }
    // At its deadline it has passed.
    let refused = Reply::Refused(No::HoldNotOpen(HoldStatus::Expired));
    assert_eq!(stage.say(min(20), extend(4, 30)), refused);
    assert_eq!(stage.say(min(20), extend(5, 30)), Reply::Refused(No::HoldNotFound));
}

#[test]
fn releasing_what_has_ended_returns_it_unless_it_was_settled() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    for hold in 1..=3 {
        stage.hold(0, hold, 2, 20);
    }
    let released = held(stage.say(min(1), Call::Release(1)));
    assert_eq!((released.status, released.released), (HoldStatus::Released, 2 * ONE));
    stage.settle(2, 2, 1);
    let reply = stage.say(min(30), Call::Release(1));
    assert_eq!(reply, Reply::Hold { hold: released, replayed: true });
    let reply = stage.say(min(30), Call::Release(2));
    assert_eq!(reply, Reply::Refused(No::HoldNotOpen(HoldStatus::Settled)));
    let expired = stage.held(3, min(30));
    assert_eq!((expired.status, expired.ended), (HoldStatus::Expired, Some(min(20))));
    let reply = stage.say(min(30), Call::Release(3));
    assert_eq!(reply, Reply::Hold { hold: expired, replayed: true });
    assert_eq!(stage.say(min(30), Call::Release(4)), Reply::Refused(No::HoldNotFound));
    assert_eq!(stage.say(min(30), settle(1, 1)), {
        Reply::Refused(No::HoldNotOpen(HoldStatus::Released))
    });
}

#[test]
fn a_hold_is_replayed_after_every_ending_and_holds_nothing_again() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    for hold in 1..=3 {
        stage.hold(0, hold, 2, 20);
    }
    stage.settle(1, 1, 2);
    stage.say(min(1), Call::Release(2));
    for hold in 1..=3 {
        let known = stage.held(hold, min(30));
        let reply = stage.say(min(30), Call::Aside(aside(hold, 2, 20)));
        assert_eq!(reply, Reply::Hold { hold: known, replayed: true });
        let first = aside(hold, 2, 20);
        let others = [
            Aside { quantity: 2 * ONE + 1, ..first.clone() },
            Aside { metric: "gpu", ..first.clone() },
            Aside { ttl: Some(20 * MINUTE + 1), ..first.clone() },
            Aside { ttl: None, ..first.clone() },
            Aside { partial: true, ..first },
        ];
        for other in others {
            let reply = stage.say(min(30), Call::Aside(other));
            assert_eq!(reply, Reply::Refused(No::HoldIdReused));
        }
    }
    assert_eq!(stage.figures(1, min(30)), [8, 0, 2, 0, 0]);
    // 15 minutes are what no ttl means.
    let default = Aside { ttl: None, ..aside(4, 1, 15) };
    assert_eq!(held(stage.say(min(30), Call::Aside(default))).deadline, min(45));
    let reply = stage.say(min(30), Call::Aside(aside(4, 1, 15)));
    assert!(matches!(reply, Reply::Hold { replayed: true, .. }), "{reply:?}");
}

#[test]
fn the_order_may_change_while_credits_are_held() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 2, None)));
    stage.say(min(0), create(credits(2, 2, None)));
    let hold = stage.hold(0, 1, 4, 20);
    let mut first = update(2);
    first.priority = Some(Some(1));
    stage.say(min(1), Call::Update(first));
    let (after, event) = stage.settle(2, 1, 3);
    // What is consumed goes by the order of now; what was set aside is told as it was.
    assert_eq!(whole(&event.paid), [(2, 2), (1, 1)]);
    assert_eq!((after.slices, after.released), (hold.slices, ONE));
}

#[test]
fn a_thousandth_of_a_billionth_beside_a_million_billions() {
    let mut stage = Stage::new();
    let largest = 1_000 * ONE * ONE;
    stage.say(min(0), create(Create { amount: largest, ..credits(1, 1, None) }));
    stage.say(min(0), create(Create { amount: 1, ..credits(2, 1, Some(50)) }));
    let all = Aside { quantity: largest, ..aside(1, 1, 20) };
    let hold = held(stage.say(min(0), Call::Aside(all)));
    assert_eq!(hold.slices, [(2, 1), (1, largest - 1)]);
    let nearly = Settle { hold: 1, event: 1, quantity: largest - 1, at: None };
    let reply = stage.say(min(1), Call::Settle(nearly));
    let Reply::Settled { hold, event } = reply else { panic!("{reply:?}") };
    assert_eq!((hold.settled, hold.released), (largest - 1, 1));
    assert_eq!(event.paid, [(2, 1), (1, largest - 2)]);
    let view = stage.view(1, min(1));
    assert_eq!((view.remaining, view.held, view.consumed), (2, 0, largest - 2));
}
