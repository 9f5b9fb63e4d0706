//! `creditd deliveries`.

use super::output::{Listed, Output, Page};
use super::table::Column::{Left, Right};
use super::table::{Column, details};
use super::words::{numbers, word};
use super::{Endpoint, Error, time};
use crate::limits;
use crate::pb::{Delivery, DeliveryStatus, ListDeliveriesRequest, RetryDeliveryRequest};

const EXAMPLES: &str = "\
Examples:
  creditd deliveries list --status parked
  creditd deliveries list --customer acme --event grant.expiring --json | jq -r .payload
  creditd deliveries retry 01a20299-7f1f-7458-bfdd-c168da17abed";

/// What to do with deliveries.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// List deliveries, newest first.
    #[command(after_long_help = EXAMPLES)]
    List(List),

    /// Send a delivery again, whatever became of it.
    #[command(after_long_help = EXAMPLES)]
    Retry(Retry),
}

/// Which deliveries to list.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
    /// Only those to this webhook endpoint.
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// Only those that stand like this; repeat it for more than one.
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<DeliveryStatus>,
    /// Only those of this type, such as grant.expired.
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// Only those about this customer.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// How many to list; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = limits::PAGE_SIZE_DEFAULT)]
    limit: u32,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// Which delivery.
#[derive(clap::Args, Clone, Debug)]
pub struct Retry {
    /// The delivery's id.
    delivery_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::List(args) => list(args).await,
        Command::Retry(args) => retry(args).await,
    }
}

async fn list(args: List) -> Result<(), Error> {
    let filter = ListDeliveriesRequest {
        endpoint_id: args.webhook.unwrap_or_default(),
        statuses: numbers(&args.statuses),
        event_type: args.event.unwrap_or_default(),
        customer_id: args.customer.unwrap_or_default(),
        ..Default::default()
    };
    let mut client = args.endpoint.notifications().await?;
    let ask = async |page_size, page_token| {
        let request = ListDeliveriesRequest { page_size, page_token, ..filter.clone() };
        let page = client.list_deliveries(request).await?.into_inner();
        Ok(Page { items: page.deliveries, next: page.next_page_token })
    };
    args.output.list(args.limit, ask).await
}

async fn retry(args: Retry) -> Result<(), Error> {
    let request = RetryDeliveryRequest { delivery_id: args.delivery_id };
    let mut client = args.endpoint.notifications().await?;
    let answer = client.retry_delivery(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.delivery.as_ref()))
}

/// A delivery in words.
pub(super) fn told(delivery: Option<&Delivery>) -> Result<String, Error> {
    let missing = Error::Unexpected("creditd answered no delivery");
    let delivery = delivery.ok_or(missing)?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(details([
        ("delivery", Some(delivery.id.clone())),
        ("webhook endpoint", Some(delivery.endpoint_id.clone())),
        ("notification", Some(delivery.notification_id.clone())),
        ("event", Some(delivery.event_type.clone())),
        ("customer", given(&delivery.customer_id)),
        ("status", Some(word(delivery.status()))),
        ("attempts", Some(delivery.attempts.to_string())),
        ("error", given(&delivery.error)),
        ("created", time::shown(delivery.created_at.as_ref())),
        ("last attempt", time::shown(delivery.attempted_at.as_ref())),
        ("next attempt", time::shown(delivery.next_attempt_at.as_ref())),
    ]))
}

impl Listed for Delivery {
    const WHAT: &str = "deliveries";
    const COLUMNS: &[Column] = &[
        Left("DELIVERY"),
        Left("CREATED"),
        Left("EVENT"),
        Left("CUSTOMER"),
        Left("STATUS"),
        Right("ATTEMPTS"),
        Left("NEXT ATTEMPT"),
        Left("ERROR"),
    ];

    fn row(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            time::shown(self.created_at.as_ref()).unwrap_or_default(),
            self.event_type.clone(),
            self.customer_id.clone(),
            word(self.status()),
            self.attempts.to_string(),
            time::shown(self.next_attempt_at.as_ref()).unwrap_or_default(),
            self.error.clone(),
        ]
    }
}
