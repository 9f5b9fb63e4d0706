//! Guards against formula injection: a spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`
//! (or a few others) for a formula. An apostrophe before it makes it a text.
//!
//! Reading undoes writing, for every text: apostrophes that were there already before such a
//! character are guarded by one more, and reading takes one away.

use std::borrow::Cow;

const GUARD: char = '\'';

/// What OWASP lists (CSV Injection), full-width forms included.
const DANGEROUS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The cell for a text.
pub fn put(text: &str) -> Cow<'_, str> {
    if is_dangerous(text) && !is_negative_number(text) {
        Cow::Owned(format!("{GUARD}{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text in a cell.
pub fn strip(cell: &str) -> &str {
    cell.strip_prefix(GUARD).filter(|text| is_dangerous(text)).unwrap_or(cell)
}

/// Whether it begins with a dangerous character, behind apostrophes or not.
fn is_dangerous(text: &str) -> bool {
    text.trim_start_matches(GUARD).starts_with(DANGEROUS)
}

/// A spreadsheet may, and should, take `-2.5` for what it is.
fn is_negative_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('-').is_some_and(|number| match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_guarded_and_numbers_are_not() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+49 30 1234", "'+49 30 1234"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("''-2.5", "'''-2.5"),
            ("-2.5", "-2.5"),
            ("-7", "-7"),
            ("-", "'-"),
            ("-2.", "'-2."),
            ("-2-3", "'-2-3"),
            ("-1e5", "'-1e5"),
            ("", ""),
            ("'", "'"),
            ("it's = 1", "it's = 1"),
            ("'quoted'", "'quoted'"),
        ] {
            assert_eq!(put(text), cell);
            assert_eq!(strip(cell), text);
        }
    }

    #[test]
    fn guards_of_others_are_stripped() {
        assert_eq!(strip("'-2.5"), "-2.5");
        assert_eq!(strip("'+1"), "+1");
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(text in "['=+@\t\r\n0-9.＝a-]{0,6}|\\PC{0,12}") {
            let cell = put(&text);
            prop_assert_eq!(strip(&cell), text.as_str());
            let formula = cell.starts_with(DANGEROUS);
            prop_assert!(!formula || is_negative_number(&cell));
        }
    }
}
