//! Times on the command line and in files of grants: RFC 3339, or a plain date in UTC.

use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Timelike as _, Utc,
};
use prost_types::{Duration, Timestamp};

use super::Error;

/// The instant that a text names. A plain date is the start of that day in UTC.
///
/// # Errors
/// What was expected, where the text is neither an RFC 3339 time nor a date.
pub fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    date(text).map_or_else(|| time(text), |day| Ok(start(day)))
}

/// The instant at which something ends. A plain date is the last day: it ends with that day in
/// UTC, at the next midnight.
///
/// # Errors
/// What was expected, where the text is neither an RFC 3339 time nor a date.
pub fn end_of(text: &str) -> Result<DateTime<Utc>, String> {
    match date(text) {
        None => time(text),
        Some(day) => {
            let end = day.succ_opt().map(start).ok_or_else(|| expected(text))?;
            // The wire ends with the year 9999, which many take for never.
            let last = end - TimeDelta::microseconds(1);
            Ok(if end.year() > 9_999 && last.year() <= 9_999 { last } else { end })
        }
    }
}

/// An instant as the wire carries it.
#[must_use]
pub fn to_wire(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos().cast_signed() }
}

/// A duration as the wire carries it.
pub(super) fn duration(of: std::time::Duration) -> Result<Duration, Error> {
    of.try_into().map_err(|_| Error::Unexpected("a duration that no message can hold"))
}

/// An instant from the wire, where there is one that a calendar knows.
#[must_use]
pub fn from_wire(at: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    let at = at?;
    DateTime::from_timestamp(at.seconds, at.nanos.try_into().ok()?)
}

/// An instant from the wire as people read it: RFC 3339, with no more of a fraction than it has.
pub(super) fn shown(at: Option<&Timestamp>) -> Option<String> {
    from_wire(at).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A date in full: `2026-1-5` is none.
fn date(text: &str) -> Option<NaiveDate> {
    text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text)
}

fn start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Leap seconds are refused: the wire has none.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) if at.nanosecond() < 1_000_000_000 => Ok(at.to_utc()),
        _ => Err(expected(text)),
    }
}

fn expected(text: &str) -> String {
    format!(
        "expected a time such as 2026-12-31T12:00:00Z or a date such as 2026-12-31, not {text:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_time_is_itself_at_both_ends() {
        for text in ["2026-12-31T12:00:00Z", "2026-12-31T13:30:00.123456+01:30"] {
            assert_eq!((instant(text), end_of(text)), (Ok(at(text)), Ok(at(text))));
        }
    }

    #[test]
    fn a_date_begins_at_midnight_and_ends_at_the_next() {
        assert_eq!(instant("2026-12-31"), Ok(at("2026-12-31T00:00:00Z")));
        assert_eq!(end_of("2026-12-31"), Ok(at("2027-01-01T00:00:00Z")));
        assert_eq!(end_of("2028-02-28"), Ok(at("2028-02-29T00:00:00Z")));
        assert_eq!(end_of("9999-12-31"), Ok(at("9999-12-31T23:59:59.999999Z")));
    }

    #[test]
    fn what_is_neither_is_told_what_was_expected() {
        for text in [
            "",
            "tomorrow",
            "31.12.2026",
            "2026-1-5",
            " 2026-01-05",
            "+2026-01-05",
            "2026-02-30",
            "2026-12-31T12:00:00",
            "2026-12-31T25:00:00Z",
            "2026-12-31T23:59:60Z",
        ] {
            for told in [instant(text), end_of(text)] {
                let told = told.unwrap_err();
                assert!(told.starts_with("expected a time such as"), "{text}: {told}");
            }
        }
    }

    #[test]
    fn the_wire_keeps_microseconds() {
        let wire = Timestamp { seconds: 1_795_338_000, nanos: 123_456_000 };
        assert_eq!(to_wire(at("2026-11-22T09:00:00.123456Z")), wire);
        assert_eq!(from_wire(Some(&wire)), Some(at("2026-11-22T09:00:00.123456Z")));
        assert_eq!(from_wire(Some(&Timestamp { seconds: 0, nanos: -1 })), None);
    }

    #[test]
    fn fractions_are_shown_where_there_are_any() {
        let shown = |text| shown(Some(&to_wire(at(text))));
        assert_eq!(shown("2026-01-01T01:00:00+01:00").as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(shown("2026-01-01T00:00:00.5Z").as_deref(), Some("2026-01-01T00:00:00.500Z"));
        assert_eq!(super::shown(None), None);
    }
}
