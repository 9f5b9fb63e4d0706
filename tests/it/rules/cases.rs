//! Cases written by hand: updates, voids, replays, and usage of nothing.

use super::stage::{Stage, create, credits, min, paid, update, usage, used, void};
use super::words::{
    Call, Category, Create, Kind, MINUTE, Micros, No, Notes, ONE, Reply, Scope, Status, Usage,
};

#[test]
fn update_then_void() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    let mut change = update(1);
    (change.priority, change.expires) = (Some(Some(7)), Some(Some(min(90))));
    stage.say(min(1), Call::Update(change));
    stage.say(min(2), usage(used(1, 4, None)));
    stage.say(min(60), void(1));
    let expected = [(1, Kind::Updated, 0), (1, Kind::Consumed, -4), (1, Kind::Voided, -6)];
    assert_eq!(stage.moves(2), expected);
    let updated = &stage.books.lines()[1];
    assert_eq!(updated.priority, Some((50, 7)));
    assert_eq!(updated.expires, Some((Some(min(50)), Some(min(90)))));
    assert_eq!(updated.balance_after, 10 * ONE);
    // Its rules are closed now; its notes never are; saying what it has already is no change.
    let mut change = update(1);
    change.priority = Some(Some(8));
    let refused = Reply::Refused(No::GrantNotActive);
    assert_eq!(stage.say(min(61), Call::Update(change.clone())), refused);
    (change.priority, change.description) = (Some(Some(7)), Some("x"));
    let reply = stage.say(min(61), Call::Update(change));
    assert!(matches!(reply, Reply::Grant { replayed: false, .. }), "{reply:?}");
    assert_eq!(stage.view(1, min(61)).description, "x");
    // Voiding it again returns it unchanged, past its expiry as well.
    let before = stage.view(1, min(61));
    let reply = stage.say(min(99), void(1));
    assert_eq!(reply, Reply::Grant { view: before, replayed: true });
    assert_eq!(stage.books.lines().len(), 4);
}

#[test]
fn an_update_changes_the_order() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.say(min(0), create(credits(2, 10, None)));
    let mut sooner = update(2);
    sooner.expires = Some(Some(min(90)));
    stage.say(min(1), Call::Update(sooner));
    assert_eq!(paid(stage.say(min(2), usage(used(1, 1, None)))), (vec![(2, 1)], 0));
    let mut first = update(1);
    first.priority = Some(Some(49));
    stage.say(min(3), Call::Update(first));
    assert_eq!(paid(stage.say(min(4), usage(used(2, 1, None)))), (vec![(1, 1)], 0));
    // No priority is the category's.
    let mut default = update(1);
    default.priority = Some(None);
    stage.say(min(5), Call::Update(default));
    assert_eq!(paid(stage.say(min(6), usage(used(3, 1, None)))), (vec![(2, 1)], 0));
}

#[test]
fn a_category_stands_for_a_priority() {
    let table = [
        (None, 50),
        (Some(Category::Service), 5),
        (Some(Category::Promotional), 10),
        (Some(Category::Loyalty), 25),
        (Some(Category::Purchased), 50),
    ];
    for (category, priority) in table {
        let mut stage = Stage::new();
        stage.say(min(0), create(Create { category, ..credits(1, 10, None) }));
        assert_eq!(stage.view(1, min(0)).priority, priority, "{category:?}");
    }
}

#[test]
fn voids_only_what_has_something_left() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, Some(50))));
    stage.say(min(0), create(credits(2, 10, Some(60))));
    let later = Create { effective: Some(min(90)), ..credits(3, 10, None) };
    stage.say(min(0), create(later));
    stage.say(min(1), usage(used(1, 10, None)));
    let refused = Reply::Refused(No::GrantNotActive);
    assert_eq!(stage.say(min(2), void(1)), refused, "exhausted");
    assert_eq!(stage.say(min(60), void(2)), refused, "expired at this very instant");
    assert_eq!(stage.say(min(60), void(4)), Reply::Refused(No::GrantNotFound));
    stage.say(min(60), void(3));
    assert_eq!(stage.view(3, min(60)).status, Status::Voided, "pending can be voided");
}

/// A repetition long after: the same key and payload, with another fresh id made for it.
fn again(terms: &Create) -> Call {
    create(Create { grant: terms.grant + 100, ..terms.clone() })
}

#[test]
fn a_create_is_replayed_after_void_and_after_expiry() {
    let mut stage = Stage::new();
    let voided = credits(1, 10, Some(50));
    let expired = credits(2, 10, Some(60));
    let spent = credits(3, 10, Some(70));
    for terms in [&voided, &expired, &spent] {
        stage.say(min(0), create(terms.clone()));
    }
    stage.say(min(1), usage(Usage { metric: "gpu", ..used(1, 10, None) }));
    stage.say(min(10), usage(used(2, 10, None)));
    let mut change = update(3);
    change.priority = Some(Some(99));
    stage.say(min(15), Call::Update(change));
    stage.say(min(20), void(3));
    // Far past every end and every window: the key is looked up before the clock is.
    for (terms, status) in
        [(&voided, Status::Exhausted), (&expired, Status::Exhausted), (&spent, Status::Voided)]
    {
        let reply = stage.say(min(10_000), again(terms));
        let Reply::Grant { view, replayed: true } = reply else { panic!("{reply:?}") };
        assert_eq!((view.grant, view.status), (terms.grant, status));
        assert_eq!(view, stage.view(terms.grant, min(10_000)), "as it is now");
    }
    let untouched = credits(4, 10, Some(20_000));
    stage.say(min(10_000), create(untouched.clone()));
    let reply = stage.say(min(20_000), again(&untouched));
    let Reply::Grant { view, replayed: true } = reply else { panic!("{reply:?}") };
    assert_eq!((view.status, view.expired), (Status::Expired, 10 * ONE));
}

#[test]
fn another_payload_under_the_same_key_is_refused() {
    let mut stage = Stage::new();
    let scope = Scope::Metrics(vec!["gpu", "api"]);
    let terms = Create { scope, ..credits(1, 10, Some(50)) };
    stage.say(min(0), create(terms.clone()));
    let same = [
        Create { scope: Scope::Metrics(vec!["api", "gpu", "api"]), ..terms.clone() },
        Create { effective: None, ..terms.clone() },
    ];
    for terms in same {
        let reply = stage.say(min(1), again(&terms));
        assert!(matches!(reply, Reply::Grant { replayed: true, .. }), "{reply:?}");
    }
    let other = [
        Create { scope: Scope::Metrics(vec!["api"]), ..terms.clone() },
        Create { scope: Scope::Any, ..terms.clone() },
        Create { scope: Scope::Money("USD"), ..terms.clone() },
        Create { amount: terms.amount + 1, ..terms.clone() },
        Create { priority: Some(49), ..terms.clone() },
        Create { category: Some(Category::Purchased), ..terms.clone() },
        Create { effective: Some(min(0) + 1), ..terms.clone() },
        Create { expires: Some(min(50) + 1), ..terms.clone() },
        Create { expires: None, ..terms.clone() },
        // Wrong by the clock as well: the key speaks first.
        Create { expires: Some(min(-1)), ..terms.clone() },
        Create { notes: Notes { description: "x", metadata: "" }, ..terms.clone() },
        Create { notes: Notes { description: "", metadata: "x" }, ..terms.clone() },
    ];
    for terms in other {
        let reply = stage.say(min(1), again(&terms));
        assert_eq!(reply, Reply::Refused(No::RequestIdReused), "{terms:?}");
    }
    assert_eq!(stage.books.lines().len(), 1);
}

#[test]
fn an_event_is_a_duplicate_whatever_the_clock_says() {
    let mut stage = Stage::new();
    let first = used(1, 4, Some(0));
    stage.say(min(0), usage(first.clone()));
    let long_after = min(0) + 400 * 24 * 60 * MINUTE;
    let omitted = Usage { at: None, ..first.clone() };
    for same in [first.clone(), omitted] {
        let reply = stage.say(long_after, usage(same));
        assert!(matches!(reply, Reply::Usage { duplicate: true, .. }), "{reply:?}");
    }
    let other_time: Micros = min(0) + 1;
    let other = [
        Usage { at: Some(other_time), ..first.clone() },
        Usage { quantity: 4 * ONE + 1, ..first.clone() },
        Usage { metric: "gpu", ..first.clone() },
        Usage { metadata: "x", ..first.clone() },
        // Covered by nothing, it would be refused for that; the key speaks first.
        Usage { reject: true, ..first },
    ];
    for other in other {
        let reply = stage.say(long_after, usage(other));
        assert_eq!(reply, Reply::Refused(No::EventIdReused));
    }
    // Recorded without a timestamp, it agrees with any.
    stage.say(long_after, usage(used(2, 1, None)));
    let reply = stage.say(long_after, usage(used(2, 1, Some(7))));
    assert!(matches!(reply, Reply::Usage { duplicate: true, .. }), "{reply:?}");
}

#[test]
fn usage_of_nothing_is_recorded_and_moves_nothing() {
    let mut stage = Stage::new();
    let nothing = Usage { reject: true, ..used(1, 0, None) };
    // Nothing is not too much, not even for a customer never mentioned before.
    let reply = stage.say(min(0), usage(nothing.clone()));
    assert_eq!(paid(reply), (vec![], 0));
    assert!(stage.books.knows_customer());
    stage.say(min(1), create(credits(1, 10, None)));
    let reply = stage.say(min(2), usage(used(2, 0, None)));
    let Reply::Usage { event, .. } = reply else { panic!("{reply:?}") };
    assert_eq!((event.lines, event.paid), (None, vec![]));
    let reply = stage.say(min(3), usage(nothing));
    assert!(matches!(reply, Reply::Usage { duplicate: true, .. }), "{reply:?}");
    assert_eq!(stage.moves(1), [(1, Kind::Granted, 10)]);
}

#[test]
fn an_unknown_customer_is_taken_in_by_overage_and_not_by_a_refusal() {
    let mut stage = Stage::new();
    let rejected = Usage { reject: true, ..used(1, 1, None) };
    let reply = stage.say(min(0), usage(rejected));
    let expected = No::Insufficient { requested: ONE, available: 0 };
    assert_eq!(reply, Reply::Refused(expected));
    assert_eq!(stage.say(min(0), void(1)), Reply::Refused(No::GrantNotFound));
    assert!(!stage.books.knows_customer(), "a refused call leaves nothing behind");
    let reply = stage.say(min(0), usage(used(1, 1, None)));
    assert_eq!(paid(reply), (vec![], 1));
    assert!(stage.books.knows_customer());
}
