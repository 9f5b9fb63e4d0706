//! `creditd invoices`.

use chrono::{DateTime, Utc};

use super::output::{Output, fresh_key, note};
use super::table::Column::{Left, Right};
use super::table::{Column, Table, details};
use super::{Endpoint, Error, time};
use crate::pb::{
    ApplyCreditsRequest, CreditApplication, GetCreditApplicationRequest,
    ReverseCreditApplicationRequest, ReverseCreditApplicationResponse,
};

const APPLY_EXAMPLES: &str = "\
Examples:
  creditd invoices apply acme INV-1 --currency USD --amount-due 120.00
  creditd invoices apply acme INV-1 --currency USD --amount-due 120.00 --validate-only";

const REVERSE_EXAMPLES: &str = "\
Examples:
  creditd invoices reverse acme INV-1 --reason 'invoice voided'
  creditd invoices reverse acme INV-1 --amount 20.00 --reason 'refund of one item'";

const LINES: &[Column] = &[Left("LINE"), Left("GRANT"), Left("DESCRIPTION"), Right("AMOUNT")];

/// What to do with invoices.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Apply a customer's credits to an invoice that is about to be paid.
    ///
    /// The same invoice again takes nothing: repeat the command where its answer was lost.
    #[command(after_long_help = APPLY_EXAMPLES)]
    Apply(Box<Apply>),

    /// Show what was applied to an invoice.
    Get(Named),

    /// Give applied credits back: the invoice was voided or refunded.
    #[command(after_long_help = REVERSE_EXAMPLES)]
    Reverse(Box<Reverse>),
}

/// Which invoice.
#[derive(clap::Args, Clone, Debug)]
pub struct Named {
    /// The customer.
    customer: String,
    /// The invoice.
    invoice_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What is due.
#[derive(clap::Args, Clone, Debug)]
pub struct Apply {
    #[command(flatten)]
    named: Named,
    /// The invoice's currency, such as USD.
    #[arg(long, value_name = "CODE")]
    currency: String,
    /// What is due before credits.
    #[arg(long, value_name = "DECIMAL", allow_negative_numbers = true)]
    amount_due: String,
    /// When the credits count as applied: a time or date [default: now].
    #[arg(long, value_name = "TIME", value_parser = time::instant)]
    applied_at: Option<DateTime<Utc>>,
    /// Show what it would do, and write nothing.
    #[arg(long)]
    validate_only: bool,
}

/// What to give back, and why.
#[derive(clap::Args, Clone, Debug)]
pub struct Reverse {
    #[command(flatten)]
    named: Named,
    /// How much [default: all that is left].
    // An empty one would mean all: a script's variable that is not set must not.
    #[arg(
        long,
        value_name = "DECIMAL",
        allow_negative_numbers = true,
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    amount: Option<String>,
    /// Why, for the ledger: at most 1,000 characters.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Your key of this call, unique for the customer [default: a fresh one, which is printed].
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Apply(args) => apply(*args).await,
        Command::Get(named) => get(named).await,
        Command::Reverse(args) => reverse(*args).await,
    }
}

async fn apply(args: Apply) -> Result<(), Error> {
    let Named { customer, invoice_id, endpoint, output } = args.named;
    let request = ApplyCreditsRequest {
        customer_id: customer,
        invoice_id,
        currency: args.currency,
        amount_due: args.amount_due,
        applied_at: args.applied_at.map(time::to_wire),
        validate_only: args.validate_only,
    };
    let answer = endpoint.credits().await?.apply_credits(request).await?.into_inner();
    if answer.replayed {
        note("applied before: this call took nothing");
    } else if args.validate_only {
        note("nothing was written");
    }
    output.answer(&answer, |answer| told(answer.application.as_ref()))
}

async fn get(named: Named) -> Result<(), Error> {
    let Named { customer, invoice_id, endpoint, output } = named;
    let request = GetCreditApplicationRequest { customer_id: customer, invoice_id };
    let answer = endpoint.credits().await?.get_credit_application(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.application.as_ref()))
}

async fn reverse(args: Reverse) -> Result<(), Error> {
    let Named { customer, invoice_id, endpoint, output } = args.named;
    let mut client = endpoint.credits().await?;
    let request = ReverseCreditApplicationRequest {
        request_id: args.request_id.unwrap_or_else(|| fresh_key("request")),
        customer_id: customer,
        invoice_id,
        amount: args.amount.unwrap_or_default(),
        reason: args.reason,
    };
    let answer = client.reverse_credit_application(request).await?.into_inner();
    if answer.replayed {
        note("reversed before: this call gave nothing back");
    }
    output.answer(&answer, reversed)
}

fn reversed(answer: &ReverseCreditApplicationResponse) -> Result<String, Error> {
    let done = details([
        ("restored", Some(answer.restored.clone())),
        ("forfeited", Some(answer.forfeited.clone())),
    ]);
    Ok(format!("{done}\nThe invoice now:\n{}", told(answer.application.as_ref())?))
}

fn told(application: Option<&CreditApplication>) -> Result<String, Error> {
    let of = application.ok_or(Error::Unexpected("creditd answered no application"))?;
    let money = |amount: &str| Some(format!("{amount} {}", of.currency));
    let mut told = details([
        ("invoice", Some(of.invoice_id.clone())),
        ("customer", Some(of.customer_id.clone())),
        ("due", money(&of.amount_due)),
        ("applied", money(&of.amount_applied)),
        ("remaining", money(&of.amount_remaining)),
        ("reversed", money(&of.reversed)),
        ("applied at", time::shown(of.applied_at.as_ref())),
        ("recorded", time::shown(of.recorded_at.as_ref())),
    ]);
    if !of.lines.is_empty() {
        let line = |line: &crate::pb::CreditApplicationLine| {
            vec![
                line.label.clone(),
                line.grant_id.clone(),
                line.description.clone(),
                line.amount.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = of.lines.iter().map(line).collect();
        told += &format!("\n{}", Table::new(LINES).lines(&rows));
    }
    Ok(told)
}
