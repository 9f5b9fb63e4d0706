//! `creditd holds`.

use chrono::{DateTime, Utc};

use super::output::{Output, note};
use super::table::Column::{Left, Right};
use super::table::{Column, Table, details};
use super::words::word;
use super::{Endpoint, Error, time};
use crate::pb::{
    CreateHoldRequest, ExtendHoldRequest, GetHoldRequest, Hold, ReleaseHoldRequest,
    SettleHoldRequest, SettleHoldResponse,
};

const EXAMPLES: &str = "\
Examples:
  creditd holds create acme job-1 --metric tokens --quantity 500 --ttl 30m
  creditd holds settle acme job-1 --quantity 420.5
  creditd holds release acme job-2";

const SET_ASIDE: &[Column] = &[Left("SET ASIDE OF GRANT"), Right("AMOUNT")];

/// What to do with holds.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Set credits aside before the work is done.
    ///
    /// The same hold again sets nothing aside: repeat the command where its answer was lost.
    #[command(after_long_help = EXAMPLES)]
    Create(Box<Create>),

    /// Show one hold.
    Get(Named),

    /// Move the deadline of an open hold, to a time from now.
    Extend(Extend),

    /// Record the usage that a hold was made for, and release the rest.
    ///
    /// It may be less or more than what is held, and it may come after the deadline.
    #[command(after_long_help = EXAMPLES)]
    Settle(Box<Settle>),

    /// Release all that a hold has set aside.
    Release(Named),
}

/// Which hold.
#[derive(clap::Args, Clone, Debug)]
pub struct Named {
    /// The customer.
    customer: String,
    /// The hold.
    hold_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What to set aside.
#[derive(clap::Args, Clone, Debug)]
pub struct Create {
    #[command(flatten)]
    named: Named,
    /// What will be used.
    #[arg(long, value_name = "METRIC")]
    metric: String,
    /// How much, with at most 12 decimals.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    quantity: String,
    /// How long, such as 90s or 2h: at most 24h [default: 15m].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    ttl: Option<std::time::Duration>,
    /// Set aside what there is, if it is less.
    #[arg(long)]
    allow_partial: bool,
}

/// Until when.
#[derive(clap::Args, Clone, Debug)]
pub struct Extend {
    #[command(flatten)]
    named: Named,
    /// From now until its deadline, such as 90s or 2h: at most 24h.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    ttl: std::time::Duration,
}

/// What was used.
#[derive(clap::Args, Clone, Debug)]
pub struct Settle {
    #[command(flatten)]
    named: Named,
    /// How much was used, with at most 12 decimals.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    quantity: String,
    /// Your key of the usage event, unique for the customer [default: the hold's id].
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// When it was used: a time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    timestamp: Option<DateTime<Utc>>,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Create(args) => create(*args).await,
        Command::Get(named) => get(named).await,
        Command::Extend(args) => extend(args).await,
        Command::Settle(args) => settle(*args).await,
        Command::Release(named) => release(named).await,
    }
}

async fn create(args: Create) -> Result<(), Error> {
    let Named { customer, hold_id, endpoint, output } = args.named;
    let request = CreateHoldRequest {
        customer_id: customer,
        hold_id,
        metric: args.metric,
        quantity: args.quantity,
        ttl: args.ttl.map(time::duration).transpose()?,
        allow_partial: args.allow_partial,
    };
    let answer = endpoint.usage().await?.create_hold(request).await?.into_inner();
    if answer.replayed {
        note("held before: this call set nothing aside");
    }
    output.answer(&answer, |answer| told(answer.hold.as_ref()))
}

async fn get(named: Named) -> Result<(), Error> {
    let Named { customer, hold_id, endpoint, output } = named;
    let request = GetHoldRequest { customer_id: customer, hold_id };
    let answer = endpoint.usage().await?.get_hold(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.hold.as_ref()))
}

async fn extend(args: Extend) -> Result<(), Error> {
    let Named { customer, hold_id, endpoint, output } = args.named;
    let ttl = Some(time::duration(args.ttl)?);
    let request = ExtendHoldRequest { customer_id: customer, hold_id, ttl };
    let answer = endpoint.usage().await?.extend_hold(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.hold.as_ref()))
}

async fn settle(args: Settle) -> Result<(), Error> {
    let Named { customer, hold_id, endpoint, output } = args.named;
    let request = SettleHoldRequest {
        customer_id: customer,
        hold_id,
        quantity: args.quantity,
        event_id: args.event_id.unwrap_or_default(),
        timestamp: args.timestamp.map(time::to_wire),
    };
    let answer = endpoint.usage().await?.settle_hold(request).await?.into_inner();
    output.answer(&answer, settled)
}

async fn release(named: Named) -> Result<(), Error> {
    let Named { customer, hold_id, endpoint, output } = named;
    let request = ReleaseHoldRequest { customer_id: customer, hold_id };
    let answer = endpoint.usage().await?.release_hold(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.hold.as_ref()))
}

fn settled(answer: &SettleHoldResponse) -> Result<String, Error> {
    let event = answer.event.as_ref().ok_or(Error::Unexpected("creditd answered no event"))?;
    let hold = told(answer.hold.as_ref())?;
    Ok(format!("{hold}\nThe usage event:\n{}", super::usage::told(event)))
}

fn told(hold: Option<&Hold>) -> Result<String, Error> {
    let hold = hold.ok_or(Error::Unexpected("creditd answered no hold"))?;
    let event_id = Some(hold.event_id.clone()).filter(|id| !id.is_empty());
    let facts = details([
        ("hold", Some(hold.hold_id.clone())),
        ("customer", Some(hold.customer_id.clone())),
        ("metric", Some(hold.metric.clone())),
        ("status", Some(word(hold.status()))),
        ("quantity", Some(hold.quantity.clone())),
        ("held", Some(hold.held.clone())),
        ("settled", Some(hold.settled.clone())),
        ("released", Some(hold.released.clone())),
        ("created", time::shown(hold.created_at.as_ref())),
        ("expires", time::shown(hold.expires_at.as_ref())),
        ("ended", time::shown(hold.ended_at.as_ref())),
        ("event", event_id),
    ]);
    let slices = hold.allocations.iter();
    let rows: Vec<_> = slices.map(|one| vec![one.grant_id.clone(), one.amount.clone()]).collect();
    Ok(format!("{facts}\n{}", Table::new(SET_ASIDE).lines(&rows)))
}
