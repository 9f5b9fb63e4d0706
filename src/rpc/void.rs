//! VoidGrants: what an import or a campaign made, taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::answers::{Answers, answers};
use super::fields::Fields;
use super::{Services, convert, status};
use crate::domain::amount::Amount;
use crate::domain::command::{Action, Command, Outcome, VoidGrant};
use crate::domain::currency::Currency;
use crate::domain::grant::{Scope, Status as GrantStatus};
use crate::domain::ids::{CampaignId, ImportId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::engine::{Failure, Reply};
use crate::store::{GrantFilter, OwnedGrant};
use crate::{limits, pb};

/// What a call reports.
pub(super) type Progress = ReceiverStream<Result<pb::VoidGrantsResponse, Status>>;

/// Reads the request; the work is then done piece by piece, as the caller takes the reports.
pub(super) fn serve(
    services: Services,
    request: &pb::VoidGrantsRequest,
) -> Result<Progress, Status> {
    let mut fields = Fields::default();
    let import_id = fields.take_optional("import_id", &request.import_id, ImportId::parse);
    let campaign_id = fields.take_optional("campaign_id", &request.campaign_id, CampaignId::parse);
    match (request.import_id.is_empty(), request.campaign_id.is_empty()) {
        (true, true) => fields.fault("import_id", "is required, unless campaign_id is given"),
        (false, false) => fields.fault("campaign_id", "must be empty where import_id is given"),
        _ => {}
    }
    fields.reason(&request.reason);
    fields.check()?;
    let undoing = Undoing {
        services,
        filter: GrantFilter { import_id, campaign_id, ..GrantFilter::default() },
        reason: request.reason.as_str().into(),
        after: None,
        totals: Totals::default(),
    };
    Ok(answers(|reports| undoing.run(reports)))
}

/// A call that is under way.
struct Undoing {
    services: Services,
    filter: GrantFilter,
    reason: Arc<str>,
    after: Option<(Timestamp, Uuid)>,
    totals: Totals,
}

impl Undoing {
    /// Until all of it is done, or the caller has hung up.
    async fn run(mut self, reports: Answers<pb::VoidGrantsResponse>) -> Result<(), Status> {
        loop {
            let more = self.piece().await?;
            if reports.send(Ok(self.totals.report())).await.is_err() {
                return Ok(());
            }
            if !more {
                return self.totals.failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Voids the next grants; false where they were the last.
    async fn piece(&mut self) -> Result<bool, Status> {
        if self.services.closing.is_cancelled() {
            return Err(status::draining());
        }
        let most = limits::VOID_GRANTS_AT_ONCE;
        let grants = self.services.store.list_grants(&self.filter, self.after, most).await;
        let grants = grants.map_err(status::of_store)?;
        let more = i64::try_from(grants.len()).is_ok_and(|found| found == most);
        self.after = grants.last().map(|last| (last.grant.created_at, last.grant.id.0));
        let mut commands = Vec::with_capacity(grants.len());
        for found in grants {
            match found.grant.status(found.now) {
                GrantStatus::Pending | GrantStatus::Active => commands.push(self.command(found)),
                _ => self.totals.skipped += 1,
            }
        }
        for reply in self.services.engine.enqueue(commands, None).await.replies().await {
            self.totals.add(reply)?;
        }
        Ok(more)
    }

    fn command(&self, found: OwnedGrant) -> Command {
        let void = VoidGrant { grant_id: found.grant.id, reason: Arc::clone(&self.reason) };
        let actor = Arc::clone(&self.services.actor);
        Command { customer: found.customer, actor, action: Action::VoidGrant(Box::new(void)) }
    }
}

/// What a call has done so far.
#[derive(Default)]
struct Totals {
    voided: i64,
    skipped: i64,
    /// By currency; none for units. The scope is one of those that were voided.
    amounts: BTreeMap<Option<&'static str>, (Scope, Amount)>,
    /// Why the first of those that could not be voided, for a reason of its own, could not. The
    /// others do not wait for it.
    failed: Option<Status>,
}

impl Totals {
    fn add(&mut self, reply: Reply) -> Result<(), Status> {
        match reply {
            Ok(Outcome::Grant { grant, replayed: false, .. }) => {
                self.voided += 1;
                let kind = grant.scope.currency().map(Currency::code);
                let (_, total) = self.amounts.entry(kind).or_insert((grant.scope, Amount::ZERO));
                let sum = total.plus(grant.figures.voided);
                *total = sum.map_err(status::of_arithmetic)?;
            }
            // Somebody else voided it, or spent the last of it, a moment ago.
            Ok(_) | Err(Failure::Refused(Refusal::GrantNotActive)) => self.skipped += 1,
            Err(failure @ (Failure::Refused(_) | Failure::Internal(_))) => {
                self.failed.get_or_insert_with(|| status::of_failure(failure));
            }
            Err(failure) => return Err(status::of_failure(failure)),
        }
        Ok(())
    }

    fn report(&self) -> pb::VoidGrantsResponse {
        let amounts: Vec<pb::VoidedAmount> =
            self.amounts.values().map(|(scope, total)| convert::voided(scope, *total)).collect();
        let amount_voided = match amounts.as_slice() {
            [] => Amount::ZERO.to_string(),
            [only] => only.amount.clone(),
            _ => String::new(),
        };
        let (voided, skipped) = (self.voided, self.skipped);
        pb::VoidGrantsResponse { voided, skipped, amount_voided, amounts }
    }
}
