//! Figures as people read them.

use std::fmt;
use std::time::Duration;

/// So many per second.
pub fn rate(count: u64, took: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000 / took.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A number with commas between its thousands.
pub fn grouped(number: impl fmt::Display) -> String {
    let text = number.to_string();
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.as_str(), None),
    };
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A span in seconds, with one digit more.
pub fn seconds(took: Duration) -> String {
    let millis = took.as_millis();
    format!("{}.{} s", grouped(millis / 1_000), millis % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped("1234567.89"), "1,234,567.89");
        assert_eq!(seconds(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(rate(500, Duration::from_millis(250)), 2_000);
        assert_eq!(rate(5, Duration::ZERO), 5_000_000);
    }
}
