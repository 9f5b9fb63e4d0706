//! Windows and instants, each on its edge and a microsecond to either side.

use super::stage::{LATE, MAX_AGE, Stage, create, credits, min, paid, update, usage, used, void};
use super::words::{Call, Create, MINUTE, Micros, No, Reply, Usage};

const NOW: i64 = 200;

fn at(instant: Micros) -> Usage {
    Usage { at: Some(instant), ..used(1, 1, None) }
}

/// A grant that is live at every instant of these tests.
fn ever() -> Create {
    Create { effective: Some(min(-1_000)), ..credits(1, 10, None) }
}

#[test]
fn timestamps_have_a_window_with_both_edges_in() {
    let oldest = min(NOW - MAX_AGE);
    let newest = min(NOW) + 5 * MINUTE;
    let table = [
        (oldest - 1, false),
        (oldest, true),
        (oldest + 1, true),
        (newest - 1, true),
        (newest, true),
        (newest + 1, false),
    ];
    for (timestamp, taken) in table {
        let mut stage = Stage::new();
        stage.say(min(0), create(ever()));
        let reply = stage.say(min(NOW), usage(at(timestamp)));
        if taken {
            assert_eq!(paid(reply), (vec![(1, 1)], 0), "{timestamp}");
        } else {
            assert_eq!(reply, Reply::Refused(No::OutOfWindow), "{timestamp}");
        }
    }
}

#[test]
fn a_grant_pays_from_its_start_until_before_its_end() {
    let (start, end) = (min(190), min(210));
    let table =
        [(start - 1, false), (start, true), (end - 1, true), (end, false), (end + 1, false)];
    for (timestamp, pays) in table {
        let mut stage = Stage::new();
        let terms = Create { effective: Some(start), expires: Some(end), ..credits(1, 10, None) };
        stage.say(min(0), create(terms));
        // At the clock's own instant, so that late reclaim has no part in it.
        let reply = stage.say(timestamp, usage(used(1, 1, None)));
        let expected = if pays { (vec![(1, 1)], 0) } else { (vec![], 1) };
        assert_eq!(paid(reply), expected, "{timestamp}");
    }
}

#[test]
fn the_late_window_ends_before_its_last_instant() {
    let end = min(100);
    let closes = end + LATE * MINUTE;
    for (clock, pays) in [(closes - 1, true), (closes, false), (closes + 1, false)] {
        let mut stage = Stage::new();
        stage.say(min(0), create(credits(1, 10, Some(100))));
        let reply = stage.say(clock, usage(at(end - 1)));
        let expected = if pays { (vec![(1, 1)], 0) } else { (vec![], 1) };
        assert_eq!(paid(reply), expected, "{clock}");
    }
}

#[test]
fn an_expiry_lies_after_now_and_after_the_start() {
    let table = [
        (None, min(NOW), false),
        (None, min(NOW) + 1, true),
        (Some(min(NOW - 10)), min(NOW - 5), false),
        (Some(min(NOW - 10)), min(NOW) + 1, true),
        (Some(min(NOW + 10)), min(NOW + 10), false),
        (Some(min(NOW + 10)), min(NOW + 10) + 1, true),
    ];
    for (effective, expires, taken) in table {
        let mut stage = Stage::new();
        let terms = Create { effective, expires: Some(expires), ..credits(1, 10, None) };
        let reply = stage.say(min(NOW), create(terms));
        assert_eq!(reply != Reply::Refused(No::BadExpiry), taken, "{effective:?} {expires}");
        // A refused call leaves nothing behind, no customer either.
        assert_eq!(stage.books.knows_customer(), taken);
    }
}

#[test]
fn an_update_sets_no_expiry_that_has_passed() {
    let table = [
        (Some(min(NOW)), false),
        (Some(min(NOW) + 1), true),
        (None, true),
        (Some(min(NOW + 50)), false), // the grant begins then
        (Some(min(NOW + 50) + 1), true),
    ];
    for (number, (expires, taken)) in table.into_iter().enumerate() {
        let mut stage = Stage::new();
        let mut terms = credits(1, 10, Some(NOW + 100));
        if number > 2 {
            terms.effective = Some(min(NOW + 50));
        }
        stage.say(min(0), create(terms));
        let mut change = update(1);
        change.expires = Some(expires);
        let reply = stage.say(min(NOW), Call::Update(change));
        assert_eq!(reply != Reply::Refused(No::BadExpiry), taken, "{expires:?}");
    }
}

#[test]
fn the_clock_never_runs_behind_what_was_recorded() {
    let mut stage = Stage::new();
    stage.say(min(10), create(credits(1, 10, Some(12))));
    // A replica whose clock is 5 minutes behind: it decides, and records, at minute 10.
    let reply = stage.say(min(5), usage(used(1, 1, None)));
    let Reply::Usage { event, .. } = &reply else { panic!("{reply:?}") };
    assert_eq!((event.at, event.recorded), (min(10), min(10)));
    // An expiry is recorded when it fell due, and counts as recorded then.
    stage.say(min(20), Call::Sweep);
    let reply = stage.say(min(11), void(1));
    assert_eq!(reply, Reply::Refused(No::GrantNotActive));
    let last = stage.books.lines().pop().expect("a line");
    assert_eq!((last.occurred, last.recorded), (min(12), min(12)));
}
