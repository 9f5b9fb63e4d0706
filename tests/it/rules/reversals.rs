//! Reversals of usage, and of credits applied to invoices: cases written by hand.

use super::stage::{
    Stage, apply, create, credits, did, min, money, reverse, reversed, update, usage, used, void,
    whole,
};
use super::words::{Apply, Call, Create, Kind, No, ONE, Of, Reply, Reverse, Scope, Status, Usage};

const EVENT: Of = Of::Event(1);
const INVOICE: Of = Of::Invoice(1);

#[test]
fn overage_goes_first_and_then_what_was_taken_last() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, Some(50))));
    stage.say(min(0), create(credits(2, 4, None)));
    stage.say(min(1), usage(used(1, 11, None)));
    // 4 of the first, 4 of the second, 3 of none.
    assert_eq!(stage.reverse(2, 22, EVENT, Some(1)), reversed(0, 0, 1));
    assert_eq!(stage.reverse(2, 24, EVENT, Some(5)), reversed(3, 0, 2));
    let event = stage.event(1);
    assert_eq!((event.covered, event.uncovered, event.reversed), (5 * ONE, 0, 6 * ONE));
    assert_eq!(whole(&event.paid), [(1, 4), (2, 1)]);
    assert_eq!(stage.reverse(3, 26, EVENT, Some(3)), reversed(3, 0, 0));
    assert_eq!(whole(&stage.event(1).paid), [(1, 2)]);
    assert_eq!(stage.reverse(4, 28, EVENT, None), reversed(2, 0, 0));
    let event = stage.event(1);
    assert_eq!((event.covered, event.uncovered, event.reversed), (0, 0, 11 * ONE));
    assert_eq!(event.paid, []);
    let expected = [
        (2, Kind::UsageReversed, 3),
        (2, Kind::UsageReversed, 1),
        (1, Kind::UsageReversed, 2),
        (1, Kind::UsageReversed, 2),
    ];
    assert_eq!(stage.moves(5), expected);
    assert_eq!(stage.figures(1, min(4)), [4, 0, 0, 0, 0]);
}

#[test]
fn never_more_than_is_left_and_all_of_nothing_is_nothing() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, None)));
    stage.say(min(1), usage(used(1, 6, None)));
    let reply = stage.say(min(2), reverse(22, EVENT, Some(6 * ONE + 1)));
    let (requested, left) = (6 * ONE + 1, 6 * ONE);
    assert_eq!(reply, Reply::Refused(No::ReversalExceeds { requested, left }));
    // Its key is not burnt.
    assert_eq!(stage.reverse(2, 22, EVENT, Some(6)), reversed(4, 0, 2));
    assert_eq!(stage.reverse(3, 24, EVENT, None), reversed(0, 0, 0));
    let reply = stage.say(min(3), reverse(26, EVENT, Some(1)));
    assert_eq!(reply, Reply::Refused(No::ReversalExceeds { requested: 1, left: 0 }));
    assert_eq!(stage.books.lines().len(), 3);
}

#[test]
fn of_a_split_the_live_part_is_restored_and_the_expired_one_forfeited() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, Some(50))));
    stage.say(min(0), create(credits(2, 4, None)));
    stage.say(min(1), usage(used(1, 6, None)));
    assert_eq!(stage.reverse(50, 22, EVENT, None), reversed(2, 4, 0));
    let expected =
        [(2, Kind::UsageReversed, 2), (1, Kind::UsageReversed, 4), (1, Kind::Expired, -4)];
    assert_eq!(stage.moves(5), expected);
    let view = stage.view(1, min(50));
    assert_eq!((view.status, stage.figures(1, min(50))), (Status::Expired, [0, 0, 0, 4, 0]));
    let last = stage.books.lines().pop().expect("a line");
    assert_eq!((last.event, last.reason.as_deref(), last.actor.as_str()), {
        (Some(1), Some("mistake"), "ops")
    });
    assert_eq!((last.occurred, last.recorded), (min(50), min(50)));
    // A late event of then may have it again, within the window, and no later.
    let reply = stage.say(min(79), usage(used(2, 5, Some(49))));
    let Reply::Usage { event, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(whole(&event.paid), [(1, 4), (2, 1)]);
}

#[test]
fn long_after_the_late_window_it_is_forfeited_all_the_same() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, Some(50))));
    stage.say(min(1), usage(used(1, 4, None)));
    stage.say(min(400), Call::Sweep);
    assert_eq!(stage.view(1, min(400)).status, Status::Exhausted);
    assert_eq!(stage.reverse(400, 22, EVENT, Some(3)), reversed(0, 3, 0));
    assert_eq!(stage.view(1, min(400)).status, Status::Expired);
    assert_eq!(stage.reverse(401, 24, EVENT, None), reversed(0, 1, 0));
    assert_eq!(stage.figures(1, min(401)), [0, 0, 0, 4, 0]);
}

#[test]
fn what_comes_from_a_voided_grant_is_voided_even_if_it_has_expired() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, Some(50))));
    stage.say(min(1), usage(used(1, 3, None)));
    stage.say(min(2), void(1));
    assert_eq!(stage.reverse(3, 22, EVENT, Some(1)), reversed(0, 1, 0));
    assert_eq!(stage.reverse(60, 24, EVENT, None), reversed(0, 2, 0));
    let expected = [
        (1, Kind::Voided, -1),
        (1, Kind::UsageReversed, 1),
        (1, Kind::Voided, -1),
        (1, Kind::UsageReversed, 2),
        (1, Kind::Voided, -2),
    ];
    assert_eq!(stage.moves(3), expected);
    // It was voided once, for one reason.
    let view = stage.view(1, min(60));
    assert_eq!(view.voided_at, Some((min(2), "fraud".to_owned())));
    assert_eq!(stage.figures(1, min(60)), [0, 0, 0, 0, 4]);
}

#[test]
fn a_grant_that_gets_credits_back_is_itself_again() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, None)));
    stage.say(min(1), usage(used(1, 4, None)));
    assert_eq!(stage.say(min(2), void(1)), Reply::Refused(No::GrantNotActive));
    stage.reverse(2, 22, EVENT, Some(1));
    assert_eq!(stage.view(1, min(2)).status, Status::Active);
    // The event is a duplicate as before, and draws nothing again.
    let reply = stage.say(min(3), usage(used(1, 4, None)));
    let Reply::Usage { event, duplicate: true } = reply else { panic!("{reply:?}") };
    assert_eq!((event.covered, event.reversed), (3 * ONE, ONE));
    stage.say(min(4), void(1));
    assert_eq!(stage.figures(1, min(4)), [0, 0, 3, 0, 1]);
}

#[test]
fn a_grant_may_get_back_what_it_paid_before_it_began() {
    let mut stage = Stage::new();
    // An event may be a little ahead of the clock.
    stage.say(min(0), create(Create { effective: Some(min(4)), ..credits(1, 4, None) }));
    stage.say(min(0), usage(used(1, 4, Some(5))));
    assert_eq!(stage.view(1, min(0)).status, Status::Exhausted);
    assert_eq!(stage.reverse(0, 22, EVENT, None), reversed(4, 0, 0));
    assert_eq!(stage.view(1, min(0)).status, Status::Pending);
}

#[test]
fn of_a_settlement_what_was_not_held_goes_back_before_what_was() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 10, None)));
    stage.hold(1, 1, 4, 20);
    stage.say(min(1), create(credits(2, 3, Some(50))));
    // 4 held ones of the first, 3 of the second, 1 more of the first.
    let (hold, _) = stage.settle(2, 1, 8);
    assert_eq!(stage.reverse(3, 22, EVENT, Some(2)), reversed(2, 0, 0));
    assert_eq!(whole(&stage.event(1).paid), [(1, 4), (2, 2)]);
    assert_eq!(stage.reverse(3, 24, EVENT, Some(3)), reversed(3, 0, 0));
    assert_eq!(whole(&stage.event(1).paid), [(1, 3)]);
    // What the hold paid at first stays its own.
    assert_eq!(stage.held(1, min(3)), hold);
    assert_eq!(stage.settle(4, 1, 8).1.reversed, 5 * ONE);
}

#[test]
fn a_reversal_is_repeated_by_its_key_whatever_came_after() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(1, 4, Some(50))));
    stage.say(min(1), usage(used(1, 6, None)));
    let first = reverse(22, EVENT, Some(3 * ONE));
    assert_eq!(did(stage.say(min(2), first.clone())), reversed(1, 0, 2));
    stage.reverse(60, 24, EVENT, None);
    let reply = stage.say(min(400), first);
    let Reply::UsageReversed { event, did, replayed: true } = reply else { panic!("{reply:?}") };
    // What it did then, and the event as it is now.
    assert_eq!((did, event.reversed), (reversed(1, 0, 2), 6 * ONE));
    let others = [
        Reverse { key: 22, of: EVENT, amount: None, reason: "mistake" },
        Reverse { key: 22, of: EVENT, amount: Some(3 * ONE), reason: "refund" },
        Reverse { key: 22, of: Of::Event(2), amount: Some(3 * ONE), reason: "mistake" },
        Reverse { key: 22, of: INVOICE, amount: Some(3 * ONE), reason: "mistake" },
    ];
    for other in others {
        let reply = stage.say(min(400), Call::Reverse(other));
        assert_eq!(reply, Reply::Refused(No::RequestIdReused));
    }
}

#[test]
fn one_key_is_for_one_call_of_three() {
    let mut stage = Stage::new();
    stage.say(min(0), create(credits(2, 4, None)));
    stage.say(min(0), create(money(4, 4, "USD", None)));
    stage.say(min(1), usage(used(1, 2, None)));
    stage.say(min(1), apply(1, 2));
    stage.reverse(2, 6, EVENT, Some(1));
    stage.reverse(2, 8, INVOICE, Some(1));
    // Keys of grants, of a reversal of usage, of one of an application.
    for (key, of) in [(2, EVENT), (4, INVOICE), (6, INVOICE), (8, EVENT)] {
        let reply = stage.say(min(3), reverse(key, of, Some(ONE)));
        assert_eq!(reply, Reply::Refused(No::RequestIdReused), "{key} {of:?}");
    }
    for key in [6, 8] {
        let reply = stage.say(min(3), create(credits(key, 4, None)));
        assert_eq!(reply, Reply::Refused(No::RequestIdReused), "{key}");
    }
    // Nor does the ladder come to what is missing.
    let nobody = reverse(2, Of::Event(99), Some(ONE));
    assert_eq!(stage.say(min(3), nobody), Reply::Refused(No::RequestIdReused));
    let nobody = reverse(10, Of::Event(99), Some(ONE));
    assert_eq!(stage.say(min(3), nobody), Reply::Refused(No::EventNotFound));
    let nobody = reverse(10, Of::Invoice(99), Some(1));
    assert_eq!(stage.say(min(3), nobody), Reply::Refused(No::ApplicationNotFound));
    assert_eq!(stage.reverse(3, 10, EVENT, None), reversed(1, 0, 0), "its key is not burnt");
}

#[test]
fn an_invoice_is_paid_in_order_by_its_own_currency_alone() {
    let mut stage = Stage::new();
    stage.say(min(0), create(money(1, 10, "USD", None)));
    stage.say(min(0), create(money(2, 10, "JPY", Some(50))));
    stage.say(min(0), create(credits(3, 10, Some(50))));
    stage.say(min(0), create(money(4, 10, "USD", Some(50))));
    stage.say(min(1), apply(1, 15));
    let application = stage.application(1);
    let lines: Vec<_> = application.paid.iter().map(|line| (line.0, line.1 / ONE)).collect();
    assert_eq!(lines, [(4, 10), (1, 5)]);
    assert_eq!((application.applied, application.remaining), (15 * ONE, 0));
    stage.say(min(2), apply(2, 8));
    let application = stage.application(2);
    assert_eq!((application.applied, application.remaining), (5 * ONE, 3 * ONE));
    assert_eq!(
        stage.moves(5),
        [(4, Kind::Applied, -10), (1, Kind::Applied, -5), (1, Kind::Applied, -5),]
    );
    // And usage is no matter of money.
    let reply = stage.say(min(3), usage(used(1, 11, None)));
    let Reply::Usage { event, .. } = reply else { panic!("{reply:?}") };
    assert_eq!((whole(&event.paid), event.uncovered), (vec![(3, 10)], ONE));
}

#[test]
fn an_invoice_of_nothing_is_kept_and_takes_its_customer_in() {
    let mut stage = Stage::new();
    let reply = stage.say(min(0), apply(1, 0));
    assert!(matches!(reply, Reply::Application { replayed: false, .. }), "{reply:?}");
    assert!(stage.books.knows_customer());
    stage.say(min(1), create(money(1, 10, "USD", None)));
    let reply = stage.say(min(2), apply(1, 0));
    assert!(matches!(reply, Reply::Application { replayed: true, .. }), "{reply:?}");
    assert_eq!(stage.reverse(3, 22, INVOICE, None), reversed(0, 0, 0));
    let reply = stage.say(min(3), reverse(24, INVOICE, Some(ONE)));
    assert_eq!(reply, Reply::Refused(No::ReversalExceeds { requested: ONE, left: 0 }));
}

#[test]
fn a_late_application_reclaims_what_has_expired_since() {
    let mut stage = Stage::new();
    stage.say(min(0), create(money(1, 10, "USD", Some(50))));
    let at = |invoice, minute| {
        let at = Some(min(minute));
        Call::Apply(Apply { invoice, currency: "USD", due: 4 * ONE, at })
    };
    stage.say(min(60), at(1, 49));
    stage.say(min(60), at(2, 50));
    let expected = [(1, Kind::Expired, -10), (1, Kind::Reclaimed, 4), (1, Kind::Applied, -4)];
    assert_eq!(stage.moves(2), expected);
    assert_eq!(stage.application(2).remaining, 4 * ONE, "at its end it was no longer live");
    assert_eq!(stage.reverse(61, 22, INVOICE, None), reversed(0, 4, 0));
    assert_eq!(stage.figures(1, min(61)), [0, 0, 0, 10, 0]);
    assert_eq!(stage.say(min(200), at(3, 49)), Reply::Refused(No::OutOfWindow));
}

#[test]
fn an_application_is_repeated_by_its_invoice_also_after_its_reversal() {
    let mut stage = Stage::new();
    stage.say(min(0), create(money(1, 10, "USD", Some(50))));
    stage.say(min(0), create(money(2, 10, "USD", None)));
    stage.say(min(1), apply(1, 15));
    assert_eq!(stage.reverse(2, 22, INVOICE, Some(7)), reversed(7, 0, 0));
    assert_eq!(stage.reverse(50, 24, INVOICE, Some(3)), reversed(0, 3, 0));
    let mut renamed = update(1);
    renamed.description = Some("x");
    stage.say(min(51), Call::Update(renamed));
    let reply = stage.say(min(400), apply(1, 15));
    let Reply::Application { application, replayed: true } = reply else { panic!("{reply:?}") };
    assert_eq!(application.paid, [(1, 5 * ONE, "x".to_owned())], "what it is called now");
    assert_eq!((application.applied, application.remaining, application.reversed), {
        (5 * ONE, 10 * ONE, 10 * ONE)
    });
    let (currency, due) = ("USD", 15 * ONE);
    let others = [
        Apply { invoice: 1, currency, due: due + ONE / 100, at: None },
        Apply { invoice: 1, currency: "JPY", due, at: None },
    ];
    for other in others {
        let reply = stage.say(min(400), Call::Apply(other));
        assert_eq!(reply, Reply::Refused(No::InvoiceAlreadyApplied));
    }
    assert_eq!(stage.view(2, min(400)).remaining, 10 * ONE);
}

#[test]
fn a_reversal_has_no_more_decimals_than_the_currency() {
    let mut stage = Stage::new();
    for (grant, currency, cent) in [(1, "USD", ONE / 100), (2, "JPY", ONE), (3, "KWD", ONE / 1_000)]
    {
        let invoice = u8::try_from(grant).expect("a small number");
        stage.say(min(0), create(money(grant, 4, currency, None)));
        let due = 4 * ONE;
        stage.say(min(1), Call::Apply(Apply { invoice, currency, due, at: None }));
        let of = Of::Invoice(invoice);
        let half = stage.say(min(2), reverse(10 * invoice, of, Some(cent / 2)));
        assert_eq!(half, Reply::Refused(No::BadAmount), "{currency}");
        let key = 10 * invoice + 2;
        assert_eq!(did(stage.say(min(2), reverse(key, of, Some(cent)))).restored, cent);
        assert_eq!(stage.application(invoice).applied, 4 * ONE - cent);
    }
}

#[test]
fn a_thousandth_of_a_billionth_beside_a_million_billions() {
    let mut stage = Stage::new();
    let largest = 1_000 * ONE * ONE;
    stage.say(min(0), create(Create { amount: 1, ..credits(1, 1, Some(50)) }));
    let terms = Create { amount: largest, scope: Scope::Any, ..credits(2, 1, None) };
    stage.say(min(0), create(terms));
    stage.say(min(1), usage(Usage { quantity: largest, ..used(1, 1, None) }));
    assert_eq!(stage.event(1).paid, [(1, 1), (2, largest - 1)]);
    let all_but_one = did(stage.say(min(60), reverse(22, EVENT, Some(largest - 1))));
    assert_eq!((all_but_one.restored, all_but_one.forfeited), (largest - 1, 0));
    assert_eq!(stage.event(1).paid, [(1, 1)]);
    let last = did(stage.say(min(60), reverse(24, EVENT, None)));
    assert_eq!((last.restored, last.forfeited), (0, 1));
    assert_eq!(stage.event(1).reversed, largest);
}
