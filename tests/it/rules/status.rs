//! The status ladder, case by case.

use super::convert;
use super::stage::{credits, grant, min, untouched};
use super::words::{ONE, Status, View};

const NOW: i64 = 10;

/// A grant of 10 credits: begins, ends, consumed, expired, voided; the rest remains.
fn made(from: i64, end: Option<i64>, went: [i128; 3], void: bool) -> View {
    let mut view = untouched(&credits(1, 10, end));
    let [consumed, expired, voided] = went.map(|credits| credits * ONE);
    view.effective = min(from);
    (view.consumed, view.expired, view.voided) = (consumed, expired, voided);
    view.remaining = view.amount - consumed - expired - voided;
    view.voided_at = void.then(|| (min(5), "fraud".to_owned()));
    view
}

#[test]
fn the_first_rung_that_applies() {
    use Status::{Active, Exhausted, Expired, Pending, Voided};
    let table = [
        ("untouched", made(0, None, [0, 0, 0], false), Active),
        ("in part", made(0, Some(20), [4, 0, 0], false), Active),
        ("begins now", made(NOW, None, [0, 0, 0], false), Active),
        ("begins next", made(NOW + 1, None, [0, 0, 0], false), Pending),
        ("ends next", made(0, Some(NOW + 1), [0, 0, 0], false), Active),
        ("ends now", made(0, Some(NOW), [0, 10, 0], false), Expired),
        ("ended, spent in part", made(0, Some(5), [4, 6, 0], false), Expired),
        ("ended, kept by a hold", made(0, Some(5), [4, 0, 0], false), Expired),
        ("spent", made(0, None, [10, 0, 0], false), Exhausted),
        ("spent, then ended", made(0, Some(5), [10, 0, 0], false), Exhausted),
        ("spent before it began", made(NOW + 1, None, [10, 0, 0], false), Exhausted),
        ("voided", made(0, None, [0, 0, 10], true), Voided),
        ("voided after use", made(0, None, [4, 0, 6], true), Voided),
        ("voided, then ended", made(0, Some(8), [0, 0, 10], true), Voided),
        ("voided before it began", made(NOW + 1, None, [0, 0, 10], true), Voided),
    ];
    for (what, view, expected) in table {
        let status = grant(&view).status(convert::instant(min(NOW)));
        assert_eq!(convert::status(status), expected, "{what}");
        assert_eq!(view.standing(min(NOW)), expected, "{what}, by the model");
    }
}

#[test]
fn a_read_books_an_expiry_that_nobody_has() {
    let left = made(0, Some(NOW), [4, 0, 0], false);
    for (minute, remaining, expired) in [(NOW - 1, 6, 0), (NOW, 0, 6), (NOW + 1, 0, 6)] {
        let now = convert::instant(min(minute));
        let view = convert::view(&grant(&left).at(now, None).expect("sound figures"), now);
        assert_eq!((view.remaining, view.expired), (remaining * ONE, expired * ONE), "{minute}");
        let status = if minute < NOW { Status::Active } else { Status::Expired };
        assert_eq!(view.status, status, "{minute}");
    }
}
