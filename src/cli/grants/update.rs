//! `creditd grants update`.

use chrono::{DateTime, Utc};
use prost_types::FieldMask;

use super::{Endpoint, Error, Output, told};
use crate::cli::time;
use crate::cli::words::{metadata, pair};
use crate::pb::UpdateGrantRequest;

pub const EXAMPLES: &str = "\
Examples:
  creditd grants update 01a20299-7f1f-7458-bfdd-c168da17abed --expires-at 2027-06-30
  creditd grants update 01a20299-7f1f-7458-bfdd-c168da17abed --default-priority --never-expires
  creditd grants update 01a20299-7f1f-7458-bfdd-c168da17abed --description 'order 7, extended'

A date as --expires-at is the last day: the grant expires when that day ends in UTC.";

/// What to change.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The grant's id.
    grant_id: String,
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
    /// The new description; an empty one clears it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A pair of the new metadata, which replaces all of the old; repeat it for more than one.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Remove all metadata.
    #[arg(long, conflicts_with = "metadata")]
    clear_metadata: bool,
    /// The new priority: 0 to 100, lower is consumed first.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Go back to the priority of the grant's category.
    #[arg(long, conflicts_with = "priority")]
    default_priority: bool,
    /// The new expiry: a time, or the last day the grant can be consumed.
    #[arg(long, value_name = "TIME", value_parser = time::end_of)]
    expires_at: Option<DateTime<Utc>>,
    /// Let the grant never expire.
    #[arg(long, conflicts_with = "expires_at")]
    never_expires: bool,
}

pub(in crate::cli) async fn run(args: Args) -> Result<(), Error> {
    let change = args.change;
    let request = UpdateGrantRequest {
        grant_id: args.grant_id,
        update_mask: Some(FieldMask { paths: change.paths() }),
        description: change.description.unwrap_or_default(),
        metadata: metadata(change.metadata)?,
        priority: change.priority,
        expires_at: change.expires_at.map(time::to_wire),
    };
    let answer = args.endpoint.credits().await?.update_grant(request).await?.into_inner();
    args.output.answer(&answer, |answer| told(answer.grant.as_ref()))
}

impl Change {
    /// The fields to change; one named without a value is cleared.
    fn paths(&self) -> Vec<String> {
        let named = [
            ("description", self.description.is_some()),
            ("metadata", !self.metadata.is_empty() || self.clear_metadata),
            ("priority", self.priority.is_some() || self.default_priority),
            ("expires_at", self.expires_at.is_some() || self.never_expires),
        ];
        named.into_iter().filter(|(_, named)| *named).map(|(path, _)| path.to_owned()).collect()
    }
}
