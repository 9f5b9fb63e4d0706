//! Notifications in both vocabularies.

use creditd::domain::amount::Amount;
use creditd::domain::currency::Currency;
use creditd::domain::grant::Grant;
use creditd::domain::ids::EndpointId;
use creditd::domain::notification::{
    self, EventType, Interests, Notification, Part, Subject, Subscription, WarningPeriod,
};
use uuid::Uuid;

use super::super::words::{About, Marks, Micros, News, Purse, Threshold, Tiding, Wishes};
use super::told::{grant_number, micros, one_of, total};
use super::{CURRENCIES, METRICS, metric, told};

const SECOND: Micros = 1_000_000;

pub fn event_type(tiding: Tiding) -> EventType {
    EventType::subscribable(tiding.name()).expect("a type")
}

fn tiding(kind: EventType) -> Tiding {
    let known = Tiding::ALL.into_iter().find(|tiding| event_type(*tiding) == kind);
    known.expect("a type that customers cause")
}

fn period(micros: Micros) -> WarningPeriod {
    WarningPeriod::from_seconds(micros / SECOND).expect("a period")
}

/// The wishes as a batch reads them.
pub fn interests(wishes: &Wishes) -> Interests {
    let endpoints = wishes.endpoints.iter().zip(1..).map(|(types, number)| Subscription {
        endpoint_id: EndpointId(Uuid::from_u128(number)),
        types: types.as_ref().map(|types| types.iter().copied().map(event_type).collect()),
    });
    let thresholds = wishes.thresholds.iter().map(|threshold| notification::Threshold {
        of: match threshold.of {
            Purse::Money(code) => Part::Currency(Currency::from_code(code).expect("a currency")),
            Purse::Metric(name) => Part::Metric(metric(name)),
        },
        amount: Amount::from_units(threshold.amount),
        recover_at: Amount::from_units(threshold.recover_at),
    });
    Interests::new(
        endpoints.collect(),
        wishes.periods.iter().copied().map(period).collect(),
        thresholds.collect(),
    )
}

fn threshold(threshold: &notification::Threshold) -> Threshold {
    Threshold {
        of: match &threshold.of {
            Part::Currency(currency) => Purse::Money(one_of(&CURRENCIES, currency.code())),
            Part::Metric(metric) => Purse::Metric(one_of(&METRICS, metric.as_str())),
        },
        amount: threshold.amount.units(),
        recover_at: threshold.recover_at.units(),
    }
}

pub fn news(told: &Notification) -> News {
    let at = told.at;
    let view = |grant: &Grant| told::view(grant, at);
    let mut totals: Vec<_> = told.totals.iter().map(total).collect();
    totals.sort();
    News {
        at: micros(at),
        sequence: told.sequence,
        about: match &told.subject {
            Subject::Grant(kind, grant) => About::Grant(tiding(*kind), view(grant)),
            Subject::Expiring(period, grant) => {
                About::Expiring(period.seconds() * SECOND, view(grant))
            }
            Subject::HoldExpired(hold) => About::HoldExpired(told::hold(hold)),
            Subject::Low(line, left) => About::Low(threshold(line), left.units()),
            Subject::Recovered(line, left) => About::Recovered(threshold(line), left.units()),
        },
        totals,
    }
}

/// What rows remember.
pub fn marks<'a>(
    grants: impl Iterator<Item = &'a Grant>,
    low: &[notification::Threshold],
) -> Marks {
    let warned = grants.flat_map(|grant| {
        let number = grant_number(grant.id);
        let told = grant.warned.iter();
        told.map(move |told| (number, told.period.seconds() * SECOND, micros(told.end)))
    });
    let mut warned: Vec<_> = warned.collect();
    warned.sort_unstable();
    let mut low: Vec<_> = low.iter().map(|low| threshold(low).line()).collect();
    low.sort_unstable();
    Marks { warned, low }
}
