//! `creditd grants`.

mod create;
mod list;
mod update;

pub(super) use self::create::Terms;
use super::output::Output;
use super::table::details;
use super::words::{kind, word};
use super::{Endpoint, Error, time};
use crate::pb::{GetGrantRequest, Grant, VoidGrantRequest};

const GET_EXAMPLES: &str = "\
Examples:
  creditd grants get 01a20299-7f1f-7458-bfdd-c168da17abed
  creditd grants get 01a20299-7f1f-7458-bfdd-c168da17abed --json";

const VOID_EXAMPLES: &str = "\
Example:
  creditd grants void 01a20299-7f1f-7458-bfdd-c168da17abed --reason 'order refunded'";

/// What to do with grants.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Create a grant.
    ///
    /// The same request id with the same grant creates nothing twice: repeat the command with the
    /// same --request-id where its answer was lost.
    #[command(after_long_help = create::EXAMPLES)]
    Create(Box<create::Args>),

    /// Show one grant with its figures.
    #[command(after_long_help = GET_EXAMPLES)]
    Get(Get),

    /// List grants, oldest first; all filters given must match.
    #[command(after_long_help = list::EXAMPLES)]
    List(Box<list::Args>),

    /// Change the rules or the notes of a grant; what is not named stays as it is.
    #[command(after_long_help = update::EXAMPLES)]
    Update(Box<update::Args>),

    /// Void what remains of a grant.
    ///
    /// What was consumed stays as it is. Voiding a voided grant again changes nothing.
    #[command(after_long_help = VOID_EXAMPLES)]
    Void(Void),
}

/// Which grant to show.
#[derive(clap::Args, Clone, Debug)]
pub struct Get {
    /// The grant's id.
    grant_id: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

/// Which grant to void, and why.
#[derive(clap::Args, Clone, Debug)]
pub struct Void {
    /// The grant's id.
    grant_id: String,
    /// Why, for the ledger: at most 1,000 characters.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Create(args) => create::run(*args).await,
        Command::Get(args) => get(args).await,
        Command::List(args) => list::run(*args).await,
        Command::Update(args) => update::run(*args).await,
        Command::Void(args) => void(args).await,
    }
}

async fn get(args: Get) -> Result<(), Error> {
    let request = GetGrantRequest { grant_id: args.grant_id };
    let answer = args.endpoint.credits().await?.get_grant(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.grant.as_ref()))
}

async fn void(args: Void) -> Result<(), Error> {
    let request = VoidGrantRequest { grant_id: args.grant_id, reason: args.reason };
    let answer = args.endpoint.credits().await?.void_grant(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.grant.as_ref()))
}

/// A grant in full.
fn told(grant: Option<&Grant>) -> Result<String, Error> {
    let grant = grant.ok_or(Error::Unexpected("creditd answered no grant"))?;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let metadata = grant.metadata.iter().map(|(key, value)| format!("{key}={value}"));
    let facts = [
        ("grant", given(&grant.id)),
        ("customer", given(&grant.customer_id)),
        ("credits", Some(kind(&grant.currency, &grant.metrics))),
        ("status", Some(word(grant.status()))),
        ("amount", given(&grant.amount)),
        ("remaining", given(&grant.remaining)),
        ("held", given(&grant.held)),
        ("consumed", given(&grant.consumed)),
        ("expired", given(&grant.expired)),
        ("voided", given(&grant.voided)),
        ("priority", Some(grant.priority.to_string())),
        ("category", Some(word(grant.category()))),
        ("effective", time::shown(grant.effective_at.as_ref())),
        ("expires", Some(expiry(grant))),
        ("created", time::shown(grant.created_at.as_ref())),
        ("created by", given(&grant.created_by)),
        ("updated", time::shown(grant.updated_at.as_ref())),
        ("voided at", time::shown(grant.voided_at.as_ref())),
        ("void reason", given(&grant.void_reason)),
        ("import", given(&grant.import_id)),
        ("campaign", given(&grant.campaign_id)),
        ("description", given(&grant.description)),
    ];
    Ok(details(facts.into_iter().chain(metadata.map(|pair| ("metadata", Some(pair))))))
}

fn expiry(grant: &Grant) -> String {
    time::shown(grant.expires_at.as_ref()).unwrap_or_else(|| "never".to_owned())
}
