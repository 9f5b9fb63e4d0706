//! Exact decimals at their extremes.

use creditd::domain::amount::{Amount, AmountError};
use creditd::domain::currency::Currency;
use creditd::domain::grant::Scope;
use proptest::prelude::*;

use super::config;
use super::stage::{Stage, create, credits, min, usage, used};
use super::words::{Create, ONE, Reply, Usage};

const LARGEST: i128 = 1000 * ONE * ONE;

/// The decimal point put in by hand.
fn written(units: i128) -> String {
    let digits = format!("{units:013}");
    let (whole, fraction) = digits.split_at(digits.len() - 12);
    format!("{whole}.{fraction}")
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn text_is_taken_digit_by_digit(units in prop_oneof![0..=LARGEST, 0..=2_000_000_i128]) {
        let amount = Amount::parse(&written(units), 12).expect("in range");
        prop_assert_eq!(amount.units(), units);
        let printed = amount.to_string();
        prop_assert_eq!(Amount::parse(&printed, 12), Ok(amount));
        prop_assert!(!printed.contains('.') || !printed.ends_with('0'), "{}", printed);
    }

    #[test]
    fn sums_are_exact_or_refused(a in -LARGEST..=LARGEST, b in -LARGEST..=LARGEST) {
        let (left, right) = (Amount::from_units(a), Amount::from_units(b));
        prop_assert_eq!(left.plus(right).map(Amount::units), Ok(a + b));
        prop_assert_eq!(left.minus(right).map(Amount::units), Ok(a - b));
        let less = if a >= b { Ok(a - b) } else { Err(AmountError::OutOfRange) };
        prop_assert_eq!(left.less(right).map(Amount::units), less);
    }

    #[test]
    fn too_precise_is_refused_never_rounded(units in 1..=LARGEST, decimals in 0..12_u32) {
        let one = 10_i128.pow(12 - decimals);
        let text = written(units);
        let expected =
            if units % one == 0 { Ok(units) } else { Err(AmountError::TooPrecise(decimals)) };
        prop_assert_eq!(Amount::parse(&text, decimals).map(Amount::units), expected);
    }
}

#[test]
fn the_edges_of_the_range() {
    let parse = |text: &str| Amount::parse_positive(text, 12).map(Amount::units);
    assert_eq!(parse("0.000000000001"), Ok(1));
    assert_eq!(parse("0.0000000000010"), Ok(1));
    assert_eq!(parse("0.0000000000001"), Err(AmountError::TooPrecise(12)));
    assert_eq!(parse("1000000000000000"), Ok(LARGEST));
    assert_eq!(parse("1000000000000000.000000000000"), Ok(LARGEST));
    assert_eq!(parse("1000000000000000.000000000001"), Err(AmountError::TooLarge));
    assert_eq!(parse("999999999999999.999999999999"), Ok(LARGEST - 1));
    assert_eq!(parse("0"), Err(AmountError::NotPositive));
    let largest = Amount::from_units(LARGEST);
    assert_eq!(largest.to_decimal().and_then(Amount::from_decimal), Ok(largest));
}

#[test]
fn money_has_its_currencys_digits() {
    let cases = [("USD", "1.5", "1.50"), ("JPY", "1.0", "1"), ("KWD", "0.125", "0.125")];
    for (code, text, printed) in cases {
        let scope = Scope::Money(Currency::from_code(code).expect("a currency"));
        let amount = Amount::parse(text, scope.decimals()).expect("precise enough");
        assert_eq!(scope.print(amount), printed, "{code}");
    }
    for (code, text) in [("USD", "0.001"), ("JPY", "0.1"), ("KWD", "0.0001")] {
        let scope = Scope::Money(Currency::from_code(code).expect("a currency"));
        assert!(Amount::parse(text, scope.decimals()).is_err(), "{code}");
    }
}

/// More grants of the largest amount than 96 bits of 10^-12 can add up, down to the last 10^-12.
#[test]
fn nothing_is_lost_among_the_largest() {
    let mut stage = Stage::new();
    let grants = 200_u32;
    for number in 1..=grants {
        stage.say(min(0), create(Create { amount: LARGEST, ..credits(number, 1, None) }));
    }
    let total = LARGEST * i128::from(grants);
    assert_eq!(stage.books.balance(min(0)).totals[0].available, total);
    stage.say(min(0), usage(Usage { quantity: 1, ..used(1, 0, None) }));
    let reply = stage.say(min(0), usage(Usage { quantity: LARGEST, ..used(2, 0, None) }));
    let Reply::Usage { event, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(event.paid, [(1, LARGEST - 1), (2, 1)]);
    assert_eq!(stage.books.balance(min(0)).totals[0].remaining, total - LARGEST - 1);
}
