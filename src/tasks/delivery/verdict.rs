//! What follows from an attempt.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use http::StatusCode;

use super::courier::Outcome;
use crate::domain::time::Timestamp;
use crate::limits;
use crate::store::{Claimed, Next};

/// What becomes of a delivery after an attempt that ended `now`.
pub(super) fn verdict(delivery: &Claimed, outcome: &Outcome, now: Timestamp) -> Next {
    if outcome.succeeded() {
        return Next::Delivered;
    }
    let pause = TimeDelta::milliseconds(rand::random_range(pauses(delivery.attempts)));
    let asked = outcome.asked_pause().unwrap_or_default().min(limits::DELIVERY_PAUSE_MAX);
    match now.checked_add_signed(pause.max(asked)) {
        Some(at) if at <= delivery.give_up_at => Next::Again(at),
        _ => Next::Parked,
    }
}

/// The pauses, in milliseconds, from which chance picks the one after a failure with so many
/// attempts before it. They double from [`limits::DELIVERY_PAUSE_MIN`] to
/// [`limits::DELIVERY_PAUSE_MAX`]; chance takes up to half, so that what failed together is not
/// tried again together.
fn pauses(before: i32) -> RangeInclusive<i64> {
    let (first, most) = (limits::DELIVERY_PAUSE_MIN, limits::DELIVERY_PAUSE_MAX);
    let doubled = u32::try_from(before).ok().and_then(|before| 2_i64.checked_pow(before));
    let full = doubled.and_then(|times| first.num_milliseconds().checked_mul(times));
    let full = full.map_or(most.num_milliseconds(), |full| full.min(most.num_milliseconds()));
    full / 2..=full
}

/// How long a receiver asks to be left alone, as its Retry-After says: in seconds, or as a time, of
/// which `now` is the real one.
pub(super) fn retry_after(status: StatusCode, text: &str, now: Timestamp) -> Option<TimeDelta> {
    if ![StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
        return None;
    }
    match text.trim().parse::<u32>() {
        Ok(seconds) => TimeDelta::try_seconds(seconds.into()),
        Err(_) => Some(chrono::DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::DeliveryId;

    fn t0() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("a time")
    }

    fn delivery(attempts: i32, give_up_in: TimeDelta) -> Claimed {
        Claimed {
            id: DeliveryId(Uuid::nil()),
            notification_id: Uuid::nil(),
            payload: String::new(),
            attempts,
            give_up_at: t0() + give_up_in,
        }
    }

    fn answer(status: u16, text: &str) -> Outcome {
        let status = StatusCode::from_u16(status).expect("a status");
        Outcome::Answered { status, retry_after: retry_after(status, text, t0()) }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(pauses(0), 2_500..=5_000);
        assert_eq!(pauses(1), 5_000..=10_000);
        assert_eq!(pauses(11), 5_120_000..=10_240_000);
        for many in [12, 62, 63, 64, i32::MAX, -1] {
            assert_eq!(pauses(many), 7_200_000..=14_400_000, "{many}");
        }
    }

    #[test]
    fn a_failure_is_followed_by_another_attempt_until_it_is_given_up() {
        let delivery = |give_up_in| delivery(0, TimeDelta::milliseconds(give_up_in));
        for _ in 0..100 {
            let next = verdict(&delivery(5_000), &answer(500, ""), t0());
            let Next::Again(at) = next else { panic!("{next:?}") };
            let pause = (at - t0()).num_milliseconds();
            assert!((2_500..=5_000).contains(&pause), "{pause}");
            assert_eq!(verdict(&delivery(2_499), &answer(500, ""), t0()), Next::Parked);
        }
        assert_eq!(verdict(&delivery(-1), &answer(204, ""), t0()), Next::Delivered);
    }

    #[test]
    fn who_asks_for_a_pause_gets_it_up_to_the_longest() {
        let pause = |status, text| match verdict(
            &delivery(0, TimeDelta::days(3)),
            &answer(status, text),
            t0(),
        ) {
            Next::Again(at) => at - t0(),
            next => panic!("{next:?}"),
        };
        let hour = TimeDelta::hours(1);
        assert_eq!(pause(503, "3600"), hour);
        assert_eq!(pause(429, " 3600 "), hour);
        assert_eq!(pause(429, "Thu, 01 Jan 2026 01:00:00 GMT"), hour);
        assert_eq!(pause(503, "4000000000"), limits::DELIVERY_PAUSE_MAX);
        let ordinary = limits::DELIVERY_PAUSE_MIN;
        for (status, text) in [
            (503, "1"),
            (503, ""),
            (503, "-3600"),
            (503, "soon"),
            (503, "Wed, 31 Dec 2025 00:00:00 GMT"),
            (500, "3600"),
        ] {
            assert!(pause(status, text) <= ordinary, "{status} {text}");
        }
    }
}
