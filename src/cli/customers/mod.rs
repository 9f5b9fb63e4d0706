//! `creditd customers`.

mod table;
mod upsert;

pub(super) use self::table::Sheet;
use super::output::{Listed, Output, Page};
use super::table::Column::{self, Left};
use super::table::details;
use super::{Endpoint, Error, time};
use crate::limits;
use crate::pb::{Customer, GetCustomerRequest, ListCustomersRequest};

const LIST_EXAMPLES: &str = "\
Examples:
  creditd customers list
  creditd customers list --segment gold --limit 0 --json | jq -r .customerId";

const GET_EXAMPLES: &str = "\
Example:
  creditd customers get acme";

/// What to do with customers.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Create and replace profiles from a CSV file; exit code 1 if any of its rows was rejected.
    ///
    /// The file may be run again: what is there already is left alone. A row replaces the whole
    /// profile, its segments included; customers whom the file does not name stay as they are.
    #[command(after_long_help = upsert::EXAMPLES)]
    Upsert(upsert::Args),

    /// List profiles by customer id.
    #[command(after_long_help = LIST_EXAMPLES)]
    List(List),

    /// Show one profile.
    #[command(after_long_help = GET_EXAMPLES)]
    Get(Get),
}

/// Which profiles to list.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
    /// Only customers in this segment.
    #[arg(long, value_name = "SEGMENT")]
    segment: Option<String>,
    /// How many to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_SIZE_DEFAULT)]
    limit: u32,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// Whose profile to show.
#[derive(clap::Args, Clone, Debug)]
pub struct Get {
    /// The customer.
    customer: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Upsert(args) => upsert::run(args).await,
        Command::List(args) => list(args).await,
        Command::Get(args) => get(args).await,
    }
}

async fn list(args: List) -> Result<(), Error> {
    let segment = args.segment.unwrap_or_default();
    let mut client = args.endpoint.customers().await?;
    let ask = async |page_size, page_token| {
        let segment = segment.clone();
        let request = ListCustomersRequest { segment, page_size, page_token };
        let page = client.list_customers(request).await?.into_inner();
        Ok(Page { items: page.customers, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

async fn get(args: Get) -> Result<(), Error> {
    let request = GetCustomerRequest { customer_id: args.customer };
    let answer = args.endpoint.customers().await?.get_customer(request).await?.into_inner();
    args.output.answer(&answer, |answer| {
        let customer = answer.customer.as_ref();
        let customer = customer.ok_or(Error::Unexpected("creditd answered no profile"))?;
        Ok(details([
            ("customer", Some(customer.customer_id.clone())),
            ("name", Some(customer.name.clone()).filter(|name| !name.is_empty())),
            ("segments", Some(customer.segments.join(", ")).filter(|all| !all.is_empty())),
            ("created", time::shown(customer.created_at.as_ref())),
            ("updated", time::shown(customer.updated_at.as_ref())),
        ]))
    })
}

impl Listed for Customer {
    const WHAT: &str = "customers";
    const COLUMNS: &[Column] = &[Left("CUSTOMER"), Left("NAME"), Left("SEGMENTS")];

    fn row(&self) -> Vec<String> {
        vec![self.customer_id.clone(), self.name.clone(), self.segments.join(", ")]
    }
}
