//! Collecting what is wrong with a request, so that one answer names every bad field.

use std::fmt::Display;

use chrono::TimeDelta;
use prost_types::{Duration as WireDuration, Timestamp as WireTimestamp};
use tonic::Status;

use super::status;
use crate::domain::grant::Metadata;
use crate::domain::time::{Timestamp, to_micros};
use crate::limits;

/// The faults of one request, field by field.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Notes a fault.
    pub(super) fn fault(&mut self, field: impl Into<String>, rule: impl Display) {
        self.0.push((field.into(), rule.to_string()));
    }

    /// Notes the faults of a message that is in this field.
    pub(super) fn within(&mut self, field: &str, inner: Self) {
        self.0.extend(inner.0.into_iter().map(|(of, rule)| (format!("{field}.{of}"), rule)));
    }

    /// The value, or None and a fault.
    pub(super) fn take<T, E: Display>(&mut self, field: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|rule| self.fault(field, rule)).ok()
    }

    /// The same for a field that may be empty: None without a fault where it is.
    pub(super) fn take_optional<T, E: Display>(
        &mut self,
        field: &str,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if text.is_empty() { None } else { self.take(field, read(text)) }
    }

    /// INVALID_ARGUMENT with every fault, where there is one.
    pub(super) fn check(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refuse()) }
    }

    /// INVALID_ARGUMENT with every fault.
    pub(super) fn refuse(self) -> Status {
        status::invalid_fields(self.0)
    }

    /// An instant, cut to microseconds; None where it was left out.
    pub(super) fn time(&mut self, field: &str, at: Option<&WireTimestamp>) -> Option<Timestamp> {
        // google.protobuf.Timestamp: from 0001-01-01 to 9999-12-31, nanos counting forward.
        const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
        let at = at?;
        let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
        let read = nanos
            .filter(|_| SECONDS.contains(&at.seconds))
            .and_then(|nanos| Timestamp::from_timestamp(at.seconds, nanos));
        match read {
            Some(read) => Some(to_micros(read)),
            None => {
                self.fault(field, "must be a time from 0001-01-01 to 9999-12-31");
                None
            }
        }
    }

    /// A time from now to a hold's deadline, cut to microseconds; None where it was left out.
    pub(super) fn ttl(&mut self, ttl: Option<&WireDuration>) -> Option<TimeDelta> {
        let ttl = ttl?;
        let seconds = TimeDelta::try_seconds(ttl.seconds);
        // google.protobuf.Duration: nanos count in the direction of the seconds, which is forward.
        let nanos = u32::try_from(ttl.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
        let micros = nanos.map(|nanos| TimeDelta::microseconds(i64::from(nanos / 1_000)));
        let read = seconds.zip(micros).and_then(|(seconds, micros)| seconds.checked_add(&micros));
        let read = read.filter(|read| *read > TimeDelta::zero() && *read <= limits::HOLD_TTL_MAX);
        if read.is_none() {
            let most = limits::HOLD_TTL_MAX.num_hours();
            self.fault("ttl", format_args!("must be above 0 and at most {most} hours"));
        }
        read
    }

    /// A time that must be there.
    pub(super) fn required_time(
        &mut self,
        field: &str,
        at: Option<&WireTimestamp>,
    ) -> Option<Timestamp> {
        if at.is_none() {
            self.fault(field, "is required");
        }
        self.time(field, at)
    }

    /// Two ends of a range: from, inclusive, and before, exclusive.
    fn range(&mut self, field: &str, from: Option<Timestamp>, before: Option<Timestamp>) {
        if let (Some(from), Some(before)) = (from, before)
            && before <= from
        {
            self.fault(field, "must be after the beginning of the range");
        }
    }

    /// The range between the fields `{of}_after`, inclusive, and `{of}_before`, exclusive.
    pub(super) fn between(
        &mut self,
        of: &str,
        after: Option<&WireTimestamp>,
        before: Option<&WireTimestamp>,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let end = format!("{of}_before");
        let after = self.time(&format!("{of}_after"), after);
        let before = self.time(&end, before);
        self.range(&end, after, before);
        (after, before)
    }

    /// The same where both ends must be there.
    pub(super) fn required_between(
        &mut self,
        of: &str,
        after: Option<&WireTimestamp>,
        before: Option<&WireTimestamp>,
    ) -> Option<(Timestamp, Timestamp)> {
        for (end, at) in [("after", after), ("before", before)] {
            if at.is_none() {
                self.fault(format!("{of}_{end}"), "is required");
            }
        }
        let (after, before) = self.between(of, after, before);
        after.zip(before)
    }

    /// Text for people: at most `chars` characters, none of them NUL.
    pub(super) fn text(&mut self, field: &str, text: &str, chars: usize) {
        if text.chars().count() > chars {
            self.fault(field, format_args!("must be at most {chars} characters"));
        }
        if text.contains('\0') {
            self.fault(field, "must not contain NUL");
        }
    }

    /// A path of an update_mask that names none of these fields.
    pub(super) fn unknown_path(&mut self, path: &str, known: &str) {
        let shown: String = path.chars().take(40).collect();
        self.fault("update_mask", format_args!("must name {known}, not {shown:?}"));
    }

    /// Why something is taken back: it must be there.
    pub(super) fn reason(&mut self, reason: &str) {
        if reason.trim().is_empty() {
            self.fault("reason", "is required");
        }
        self.text("reason", reason, limits::REASON_CHARS_MAX);
    }

    /// The caller's pairs: at most 50, keys 1 to 40 characters, values at most 500.
    pub(super) fn metadata(&mut self, metadata: &Metadata) {
        if metadata.len() > limits::METADATA_PAIRS_MAX {
            let most = limits::METADATA_PAIRS_MAX;
            self.fault("metadata", format_args!("must have at most {most} pairs"));
        }
        for (key, value) in metadata {
            // A key too long for a field's name is cut there.
            let shown: String = key.chars().take(limits::METADATA_KEY_CHARS_MAX).collect();
            let field = format!("metadata[{}]", shown.escape_debug());
            if key.is_empty() {
                self.fault(field.as_str(), "must have a key");
            }
            if key.chars().count() > limits::METADATA_KEY_CHARS_MAX || key.contains('\0') {
                let most = limits::METADATA_KEY_CHARS_MAX;
                let rule =
                    format!("must have a key of at most {most} characters, none of them NUL");
                self.fault(field.as_str(), rule);
            }
            self.text(&field, value, limits::METADATA_VALUE_CHARS_MAX);
        }
    }
}
