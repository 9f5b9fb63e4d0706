//! `creditd webhooks`.

use prost_types::FieldMask;

use super::output::{Listed, Output, Page, fresh_key, note};
use super::table::Column::Left;
use super::table::{Column, details};
use super::{Endpoint, Error, time};
use crate::pb::{
    CreateWebhookEndpointRequest, DeleteWebhookEndpointRequest, GetWebhookEndpointRequest,
    ListWebhookEndpointsRequest, RotateWebhookSecretRequest, SendTestNotificationRequest,
    UpdateWebhookEndpointRequest, WebhookEndpoint,
};

const EXAMPLES: &str = "\
Examples:
  creditd webhooks create https://example.com/hooks --event grant.expiring --event balance.low
  creditd webhooks test 01a20299-7f1f-7458-bfdd-c168da17abed
  creditd webhooks update 01a20299-7f1f-7458-bfdd-c168da17abed --all-events --enable
  creditd webhooks rotate-secret 01a20299-7f1f-7458-bfdd-c168da17abed";

/// What to do with webhook endpoints.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Make an endpoint, and show the secret that signs what is sent to it.
    ///
    /// The secret is not shown again. The endpoint hears of what happens from now on.
    #[command(after_long_help = EXAMPLES)]
    Create(Create),

    /// Show one endpoint.
    Get(Named),

    /// List all endpoints, oldest first.
    List(List),

    /// Change, disable or enable an endpoint.
    #[command(after_long_help = EXAMPLES)]
    Update(Update),

    /// Delete an endpoint, and what waits for it.
    Delete(Named),

    /// Make another secret and show it; those before it go on signing beside it for a day.
    RotateSecret(Named),

    /// Send a notification.test, whatever the endpoint hears of.
    Test(Named),
}

/// Which endpoint.
#[derive(clap::Args, Clone, Debug)]
pub struct Named {
    /// The webhook endpoint's id.
    endpoint_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// The endpoint to make.
#[derive(clap::Args, Clone, Debug)]
pub struct Create {
    /// What is POSTed to.
    url: String,
    /// A type to be told of, such as grant.expired; repeat it for more than one [default: all].
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// Text for people.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// Your key of this call, unique among endpoints [default: a new one, which is printed].
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// How to list.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// What to change.
#[derive(clap::Args, Clone, Debug)]
pub struct Update {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    change: Change,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = true)]
struct Change {
    /// What is POSTed to from now on.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A type to be told of, in place of those before; repeat it for more than one.
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// Tell the endpoint of everything.
    #[arg(long, conflicts_with = "events")]
    all_events: bool,
    /// The new description; an empty one clears it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Deliver nothing for now. What happens meanwhile is not kept for the endpoint.
    #[arg(long)]
    disable: bool,
    /// Deliver again, and try what waits at once.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Create(args) => create(args).await,
        Command::Get(named) => get(named).await,
        Command::List(args) => list(args).await,
        Command::Update(args) => update(args).await,
        Command::Delete(named) => delete(named).await,
        Command::RotateSecret(named) => rotate(named).await,
        Command::Test(named) => test(named).await,
    }
}

async fn create(args: Create) -> Result<(), Error> {
    let mut client = args.endpoint.notifications().await?;
    let request = CreateWebhookEndpointRequest {
        url: args.url,
        event_types: args.events,
        description: args.description,
        request_id: args.request_id.unwrap_or_else(|| fresh_key("request")),
    };
    let answer = client.create_webhook_endpoint(request).await?.into_inner();
    if answer.replayed {
        note("made before: this call made no endpoint");
    }
    args.output.answer(&answer, |answer| with_secret(answer.endpoint.as_ref(), &answer.secret))
}

async fn get(named: Named) -> Result<(), Error> {
    let Named { endpoint_id, endpoint, output } = named;
    let request = GetWebhookEndpointRequest { endpoint_id };
    let mut client = endpoint.notifications().await?;
    let answer = client.get_webhook_endpoint(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.endpoint.as_ref()))
}

async fn list(args: List) -> Result<(), Error> {
    let mut client = args.endpoint.notifications().await?;
    let all = async |_, _| {
        let answer = client.list_webhook_endpoints(ListWebhookEndpointsRequest {}).await?;
        Ok(Page { items: answer.into_inner().endpoints, next: String::new() })
    };
    args.output.list(0, all).await
}

async fn update(args: Update) -> Result<(), Error> {
    let Named { endpoint_id, endpoint, output } = args.named;
    let paths = args.change.paths();
    let Change { url, events, description, disable, .. } = args.change;
    let request = UpdateWebhookEndpointRequest {
        endpoint_id,
        update_mask: Some(FieldMask { paths }),
        url: url.unwrap_or_default(),
        event_types: events,
        description: description.unwrap_or_default(),
        disabled: disable,
    };
    let mut client = endpoint.notifications().await?;
    let answer = client.update_webhook_endpoint(request).await?.into_inner();
    output.answer(&answer, |answer| told(answer.endpoint.as_ref()))
}

impl Change {
    /// The fields to change; one named without a value is cleared.
    fn paths(&self) -> Vec<String> {
        let named = [
            ("url", self.url.is_some()),
            ("event_types", !self.events.is_empty() || self.all_events),
            ("description", self.description.is_some()),
            ("disabled", self.disable || self.enable),
        ];
        named.into_iter().filter(|(_, named)| *named).map(|(path, _)| path.to_owned()).collect()
    }
}

async fn delete(named: Named) -> Result<(), Error> {
    let Named { endpoint_id, endpoint, output } = named;
    let request = DeleteWebhookEndpointRequest { endpoint_id };
    let mut client = endpoint.notifications().await?;
    let answer = client.delete_webhook_endpoint(request).await?.into_inner();
    output.answer(&answer, |_| Ok("deleted\n".to_owned()))
}

async fn rotate(named: Named) -> Result<(), Error> {
    let Named { endpoint_id, endpoint, output } = named;
    let request = RotateWebhookSecretRequest { endpoint_id };
    let mut client = endpoint.notifications().await?;
    let answer = client.rotate_webhook_secret(request).await?.into_inner();
    output.answer(&answer, |answer| with_secret(answer.endpoint.as_ref(), &answer.secret))
}

async fn test(named: Named) -> Result<(), Error> {
    let Named { endpoint_id, endpoint, output } = named;
    let request = SendTestNotificationRequest { endpoint_id };
    let mut client = endpoint.notifications().await?;
    let answer = client.send_test_notification(request).await?.into_inner();
    output.answer(&answer, |answer| super::deliveries::told(answer.delivery.as_ref()))
}

fn told(endpoint: Option<&WebhookEndpoint>) -> Result<String, Error> {
    with_secret(endpoint, "")
}

fn with_secret(endpoint: Option<&WebhookEndpoint>, secret: &str) -> Result<String, Error> {
    let missing = Error::Unexpected("creditd answered no webhook endpoint");
    let endpoint = endpoint.ok_or(missing)?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(details([
        ("webhook endpoint", Some(endpoint.id.clone())),
        ("url", Some(endpoint.url.clone())),
        ("events", Some(events(endpoint))),
        ("description", given(&endpoint.description)),
        ("state", Some(state(endpoint).to_owned())),
        ("disabled because", given(&endpoint.disabled_reason)),
        ("failing since", time::shown(endpoint.failing_since.as_ref())),
        ("old secrets until", time::shown(endpoint.old_secrets_until.as_ref())),
        ("created", time::shown(endpoint.created_at.as_ref())),
        ("updated", time::shown(endpoint.updated_at.as_ref())),
        ("secret", given(secret)),
    ]))
}

fn events(endpoint: &WebhookEndpoint) -> String {
    if endpoint.event_types.is_empty() {
        return "all".to_owned();
    }
    endpoint.event_types.join(", ")
}

fn state(endpoint: &WebhookEndpoint) -> &'static str {
    match (endpoint.disabled, &endpoint.failing_since) {
        (true, _) => "disabled",
        (false, Some(_)) => "failing",
        (false, None) => "enabled",
    }
}

impl Listed for WebhookEndpoint {
    const WHAT: &str = "webhook endpoints";
    const COLUMNS: &[Column] =
        &[Left("WEBHOOK ENDPOINT"), Left("STATE"), Left("URL"), Left("EVENTS")];

    fn row(&self) -> Vec<String> {
        vec![self.id.clone(), state(self).to_owned(), self.url.clone(), events(self)]
    }
}
