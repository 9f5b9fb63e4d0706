//! `creditd notifications`.

use std::time::Duration;

use prost_types::FieldMask;

use super::output::Output;
use super::table::Column::{Left, Right};
use super::table::{Column, Table, details};
use super::{Endpoint, Error, time};
use crate::pb::{
    BalanceThreshold, GetNotificationSettingsRequest, NotificationSettings,
    UpdateNotificationSettingsRequest,
};

const EXAMPLES: &str = "\
Examples:
  creditd notifications set --warning 30d --warning 3d
  creditd notifications set --metric-threshold tokens=1000:1500 --currency-threshold USD=20
  creditd notifications set --no-warnings";

const THRESHOLDS: &[Column] = &[Left("CREDITS"), Right("LOW BELOW"), Right("RECOVERED FROM")];

/// What to do with the settings.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Show how long before their expiry grants are warned of, and when balances are low.
    Get(Get),

    /// Replace the warnings, the thresholds, or both.
    #[command(after_long_help = EXAMPLES)]
    Set(Set),
}

/// How to show them.
#[derive(clap::Args, Clone, Debug)]
pub struct Get {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What to set.
#[derive(clap::Args, Clone, Debug)]
pub struct Set {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = true)]
struct Change {
    /// How long before its expiry a grant is warned of, such as 30d or 12h, in place of the periods
    /// before; repeat it for more than one.
    #[arg(long = "warning", value_name = "DURATION", value_parser = humantime::parse_duration)]
    warnings: Vec<Duration>,
    /// Warn of no expiry.
    #[arg(long, conflicts_with = "warnings")]
    no_warnings: bool,
    /// Below what amount of units for a metric a balance is low, and from what amount on it has
    /// recovered [default: the same]; in place of all thresholds before.
    #[arg(long = "metric-threshold", value_name = "METRIC=AMOUNT[:AMOUNT]", value_parser = line)]
    metrics: Vec<Line>,
    /// The same of money in a currency.
    #[arg(long = "currency-threshold", value_name = "CODE=AMOUNT[:AMOUNT]", value_parser = line)]
    currencies: Vec<Line>,
    /// Call no balance low.
    #[arg(long, conflicts_with_all = ["metrics", "currencies"])]
    no_thresholds: bool,
}

/// A threshold as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    of: String,
    amount: String,
    recover_at: String,
}

/// Reads `OF=AMOUNT` or `OF=AMOUNT:AMOUNT`; names may hold both signs, amounts neither.
fn line(text: &str) -> Result<Line, String> {
    let (of, amounts) = text.rsplit_once('=').ok_or("expected an equals sign and an amount")?;
    let (amount, recover_at) = amounts.split_once(':').unwrap_or((amounts, ""));
    let [of, amount, recover_at] = [of, amount, recover_at].map(str::to_owned);
    Ok(Line { of, amount, recover_at })
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Get(args) => get(args).await,
        Command::Set(args) => set(args).await,
    }
}

async fn get(args: Get) -> Result<(), Error> {
    let mut client = args.endpoint.notifications().await?;
    let request = GetNotificationSettingsRequest {};
    let answer = client.get_notification_settings(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.settings.as_ref()))
}

async fn set(args: Set) -> Result<(), Error> {
    let paths = args.change.paths();
    let Change { warnings, metrics, currencies, .. } = args.change;
    let metrics = metrics.into_iter().map(|line| BalanceThreshold {
        metric: line.of,
        amount: line.amount,
        recover_at: line.recover_at,
        ..BalanceThreshold::default()
    });
    let currencies = currencies.into_iter().map(|line| BalanceThreshold {
        currency: line.of,
        amount: line.amount,
        recover_at: line.recover_at,
        ..BalanceThreshold::default()
    });
    let request = UpdateNotificationSettingsRequest {
        expiry_warnings: warnings.into_iter().map(time::duration).collect::<Result<_, _>>()?,
        balance_thresholds: metrics.chain(currencies).collect(),
        update_mask: Some(FieldMask { paths }),
    };
    let mut client = args.endpoint.notifications().await?;
    let answer = client.update_notification_settings(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.settings.as_ref()))
}

impl Change {
    /// What to replace; what is named without a value is cleared.
    fn paths(&self) -> Vec<String> {
        let lines = !self.metrics.is_empty() || !self.currencies.is_empty();
        let named = [
            ("expiry_warnings", !self.warnings.is_empty() || self.no_warnings),
            ("balance_thresholds", lines || self.no_thresholds),
        ];
        named.into_iter().filter(|(_, named)| *named).map(|(path, _)| path.to_owned()).collect()
    }
}

fn told(settings: Option<&NotificationSettings>) -> Result<String, Error> {
    let missing = Error::Unexpected("creditd answered no settings");
    let settings = settings.ok_or(missing)?;
    let periods: Vec<String> =
        settings.expiry_warnings.iter().map(|warning| period(warning.seconds)).collect();
    let periods = if periods.is_empty() { "none".to_owned() } else { periods.join(", ") };
    let facts = details([
        ("warnings before expiry", Some(periods)),
        ("updated", time::shown(settings.updated_at.as_ref())),
    ]);
    let rows: Vec<_> = settings.balance_thresholds.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(facts);
    }
    Ok(format!("{facts}\n{}", Table::new(THRESHOLDS).lines(&rows)))
}

fn row(threshold: &BalanceThreshold) -> Vec<String> {
    let of = match threshold.metric.as_str() {
        "" => threshold.currency.clone(),
        metric => format!("units for {metric}"),
    };
    vec![of, threshold.amount.clone(), threshold.recover_at.clone()]
}

/// Seconds as they are typed, in the largest unit that counts them whole.
fn period(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.into_iter().find(|(unit, _)| seconds % unit == 0);
    let (unit, name) = whole.unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        let of = |of: &str, amount: &str, recover_at: &str| {
            let [of, amount, recover_at] = [of, amount, recover_at].map(str::to_owned);
            Ok(Line { of, amount, recover_at })
        };
        assert_eq!(line("tokens=10"), of("tokens", "10", ""));
        assert_eq!(line("USD=10.50:20"), of("USD", "10.50", "20"));
        assert_eq!(line("a=b:c=1:2"), of("a=b:c", "1", "2"));
        assert!(line("tokens").is_err());
    }

    #[test]
    fn periods_are_said_as_they_are_typed() {
        let said = [2_592_000, 90_000, 5_400, 61].map(period);
        assert_eq!(said, ["30d", "25h", "90m", "61s"]);
    }
}
