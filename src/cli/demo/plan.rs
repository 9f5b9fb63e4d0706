//! The grants of one customer.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};

use super::scenario::{Customer, INPUT, OUTPUT};
use crate::cli::time::to_wire;
use crate::pb::{CreateGrantRequest, GrantCategory, GrantType};

/// Grants are dealt in thousands of tokens.
const STEP: u128 = 1_000;
/// creditd's largest amount.
const AMOUNT_MAX: u128 = 1_000_000_000_000_000;

/// The instants that grants are tied to.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The server's, when the replay began.
    pub now: DateTime<Utc>,
    /// Of the replay's first request: from then on the grants pay.
    pub first: DateTime<Utc>,
}

/// The monetary grant, if the customer gets one. It names no instant, so the first customer's can
/// be made before the server's time is known: its `created_at` tells it.
pub fn monetary(run: &str, customer: &Customer) -> Option<CreateGrantRequest> {
    Some(CreateGrantRequest {
        r#type: GrantType::Monetary.into(),
        amount: format!("{}.00", customer.dollars?),
        currency: "USD".to_owned(),
        ..grant(run, customer, "money", GrantCategory::Purchased, "Prepaid balance for invoices")
    })
}

/// The unit grants, in the order in which they are consumed.
pub fn units(run: &str, customer: &Customer, times: Times) -> Vec<CreateGrantRequest> {
    let both = customer.input + customer.output;
    let open = |kind, category, percent, what| CreateGrantRequest {
        amount: part(both, percent, customer.budget),
        effective_at: Some(to_wire(times.first)),
        ..grant(run, customer, kind, category, what)
    };
    let tied = |kind, category, metric: &str, used, percent, what| CreateGrantRequest {
        amount: part(used, percent, customer.budget),
        metrics: vec![metric.to_owned()],
        ..open(kind, category, 0, what)
    };

    let mut grants = Vec::new();
    if customer.service {
        grants.push(CreateGrantRequest {
            expires_at: in_days(times.now, 30),
            ..open("service", GrantCategory::Service, 5, "Sorry for the slow afternoon")
        });
    }
    grants.push(CreateGrantRequest {
        expires_at: in_days(times.now, 7),
        ..tied("promo", GrantCategory::Promotional, INPUT, customer.input, 30, "Welcome week")
    });
    if customer.loyalty {
        grants.push(CreateGrantRequest {
            expires_at: in_days(times.now, 90),
            ..tied("loyalty", GrantCategory::Loyalty, OUTPUT, customer.output, 60, "A year with us")
        });
    }
    grants.push(open("purchased", GrantCategory::Purchased, 70, "Token pack"));
    if customer.next_month {
        grants.push(CreateGrantRequest {
            effective_at: next_month(times.now).map(to_wire),
            ..open("next-month", GrantCategory::Promotional, 20, "Next month's bonus")
        });
    }
    grants
}

fn grant(
    run: &str,
    customer: &Customer,
    kind: &str,
    category: GrantCategory,
    description: &str,
) -> CreateGrantRequest {
    CreateGrantRequest {
        request_id: format!("demo-{run}-{kind}"),
        customer_id: customer.id.clone(),
        r#type: GrantType::Units.into(),
        category: category.into(),
        description: description.to_owned(),
        metadata: [("demo_run".to_owned(), run.to_owned())].into(),
        ..Default::default()
    }
}

/// `percent` of `used`, scaled by the budget and rounded up to whole thousands.
fn part(used: u128, percent: u128, budget: u32) -> String {
    let exact = used * percent * u128::from(budget) / 10_000;
    exact.next_multiple_of(STEP).clamp(STEP, AMOUNT_MAX).to_string()
}

fn in_days(now: DateTime<Utc>, days: u64) -> Option<prost_types::Timestamp> {
    now.checked_add_days(Days::new(days)).map(to_wire)
}

fn next_month(now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (year, month) =
        if now.month() == 12 { (now.year() + 1, 1) } else { (now.year(), now.month() + 1) };
    Some(NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_thousands() {
        assert_eq!(part(1_000_000, 30, 130), "390000");
        assert_eq!(part(1_234_567, 70, 95), "821000");
        assert_eq!(part(0, 30, 130), "1000");
        assert_eq!(part(u128::from(u64::MAX), 70, 200), "1000000000000000");
    }

    #[test]
    fn months_turn_at_midnight() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(next_month(at("2026-11-30T23:59:59Z")), Some(at("2026-12-01T00:00:00Z")));
        assert_eq!(next_month(at("2026-12-01T00:00:00Z")), Some(at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn a_full_budget_pays_for_everything() {
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let customer = Customer {
            id: "c".into(),
            requests: 1,
            input: 1_000_000,
            output: 100_000,
            budget: 100,
            service: false,
            loyalty: false,
            next_month: true,
            dollars: None,
        };
        let grants = units("r", &customer, Times { now, first: now });
        let amounts: Vec<&str> = grants.iter().map(|grant| grant.amount.as_str()).collect();
        assert_eq!(amounts, ["300000", "770000", "220000"]);
        assert!(monetary("r", &customer).is_none());
    }
}
