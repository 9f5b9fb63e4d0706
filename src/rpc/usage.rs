//! UsageService: recording usage, looking at it.

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::fields::Fields;
use super::page::Page;
use super::usage_stream::UsageStream;
use super::{Services, convert, deadline, identity, parse, status, stream};
use crate::domain::amount::{Amount, SCALE};
use crate::domain::command::Outcome;
use crate::domain::drawdown::{Draw, Purpose, Verdict};
use crate::domain::ids::{Customer, EventId, GrantId, Metric};
use crate::domain::usage::{Allocation, UsageEvent};
use crate::pb::usage_service_server::UsageService;
use crate::store::EventFilter;
use crate::{limits, pb};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl UsageService for Services {
    async fn record_usage(
        &self,
        request: Request<pb::RecordUsageRequest>,
    ) -> Answer<pb::RecordUsageResponse> {
        let deadline = deadline::of(request.metadata());
        let actor = identity::actor(&request);
        let command = parse::record_usage(request.into_inner(), &actor)?;
        let customer = command.customer.clone();
        let outcome = self.engine.execute(command, deadline).await;
        let outcome = outcome.map_err(status::of_failure)?;
        let (event, duplicate) = recorded(&outcome)?;
        let event = convert::usage_event(&customer, event).map_err(status::of_arithmetic)?;
        Ok(Response::new(pb::RecordUsageResponse { event: Some(event), duplicate }))
    }

    type StreamUsageStream = ReceiverStream<Result<pb::StreamUsageResponse, Status>>;

    async fn summarize_usage(
        &self,
        request: Request<pb::SummarizeUsageRequest>,
    ) -> Answer<pb::SummarizeUsageResponse> {
        self.summarize(request.get_ref()).await.map(Response::new)
    }

    async fn reverse_usage(
        &self,
        request: Request<pb::ReverseUsageRequest>,
    ) -> Answer<pb::ReverseUsageResponse> {
        let deadline = deadline::of(request.metadata());
        let command = parse::reverse_usage(request.get_ref(), &identity::actor(&request))?;
        let customer = command.customer.clone();
        let outcome = self.engine.execute(command, deadline).await.map_err(status::of_failure)?;
        match outcome {
            Outcome::UsageReversed { event, reversal, replayed } => {
                let event = convert::usage_event(&customer, &event);
                Ok(Response::new(pb::ReverseUsageResponse {
                    event: Some(event.map_err(status::of_arithmetic)?),
                    restored: reversal.restored.to_string(),
                    forfeited: reversal.forfeited.to_string(),
                    uncovered_reversed: reversal.uncovered.to_string(),
                    replayed,
                }))
            }
            other => Err(status::unexpected_outcome(&other)),
        }
    }

    async fn create_hold(
        &self,
        request: Request<pb::CreateHoldRequest>,
    ) -> Answer<pb::CreateHoldResponse> {
        let deadline = deadline::of(request.metadata());
        self.on_behalf_of(&request).hold(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn extend_hold(
        &self,
        request: Request<pb::ExtendHoldRequest>,
    ) -> Answer<pb::ExtendHoldResponse> {
        let deadline = deadline::of(request.metadata());
        self.on_behalf_of(&request).extend(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn settle_hold(
        &self,
        request: Request<pb::SettleHoldRequest>,
    ) -> Answer<pb::SettleHoldResponse> {
        let deadline = deadline::of(request.metadata());
        self.on_behalf_of(&request).settle(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn release_hold(
        &self,
        request: Request<pb::ReleaseHoldRequest>,
    ) -> Answer<pb::ReleaseHoldResponse> {
        let deadline = deadline::of(request.metadata());
        self.on_behalf_of(&request).release(request.get_ref(), deadline).await.map(Response::new)
    }

    async fn get_hold(&self, request: Request<pb::GetHoldRequest>) -> Answer<pb::GetHoldResponse> {
        self.hold_as_of_now(request.get_ref()).await.map(Response::new)
    }

    async fn stream_usage(
        &self,
        request: Request<Streaming<pb::StreamUsageRequest>>,
    ) -> Answer<Self::StreamUsageStream> {
        let events = UsageStream(self.on_behalf_of(&request));
        Ok(Response::new(stream::serve(events, request.into_inner(), self.closing.clone())))
    }

    async fn preview_usage(
        &self,
        request: Request<pb::PreviewUsageRequest>,
    ) -> Answer<pb::PreviewUsageResponse> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let metric = fields.take("metric", Metric::parse(&request.metric));
        let quantity = fields.take("quantity", Amount::parse(&request.quantity, SCALE));
        let timestamp = fields.time("timestamp", request.timestamp.as_ref());
        let (Some(customer), Some(metric), Some(quantity)) = (customer, metric, quantity) else {
            return Err(fields.refuse());
        };
        fields.check()?;
        let account = self.store.whole_account(&customer).await.map_err(status::of_store)?;
        let at = timestamp.unwrap_or(account.now());
        account.check_not_ahead(at).map_err(status::of_refusal)?;
        let (now, windows) = (account.now(), account.windows());
        let draw = Draw { purpose: Purpose::Usage(&metric), quantity, at, now, windows };
        preview(&draw, &account).map(Response::new).map_err(status::of_arithmetic)
    }

    async fn get_usage_event(
        &self,
        request: Request<pb::GetUsageEventRequest>,
    ) -> Answer<pb::GetUsageEventResponse> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let event_id = fields.take("event_id", EventId::parse(&request.event_id));
        let (Some(customer), Some(event_id)) = (customer, event_id) else {
            return Err(fields.refuse());
        };
        let found = self.store.usage_event(&customer, &event_id).await.map_err(status::of_store)?;
        let found = found.ok_or_else(|| status::no_event(event_id.as_str()))?;
        let event = convert::usage_event(&customer, &found).map_err(status::of_arithmetic)?;
        Ok(Response::new(pb::GetUsageEventResponse { event: Some(event) }))
    }

    async fn list_usage_events(
        &self,
        request: Request<pb::ListUsageEventsRequest>,
    ) -> Answer<pb::ListUsageEventsResponse> {
        let mut request = request.into_inner();
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, after) = Page::read("events", &mut fields, &request, size, &token);
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let (after_time, before_time) = (request.timestamp_after, request.timestamp_before);
        let (timestamp_after, timestamp_before) =
            fields.between("timestamp", after_time.as_ref(), before_time.as_ref());
        let filter = EventFilter {
            metric: fields.take_optional("metric", &request.metric, Metric::parse),
            grant_id: fields.take_optional("grant_id", &request.grant_id, GrantId::parse),
            timestamp_after,
            timestamp_before,
            recorded_after: fields.time("recorded_after", request.recorded_after.as_ref()),
        };
        let Some(customer) = customer else { return Err(fields.refuse()) };
        fields.check()?;
        let listed = self.store.list_usage_events(&customer, &filter, after, page.ask()).await;
        let mut shown = Vec::new();
        for event in listed.map_err(status::of_store)? {
            let key = (event.recorded_at, event.event_id.to_string());
            let event = convert::usage_event(&customer, &event).map_err(status::of_arithmetic)?;
            shown.push((key, event));
        }
        let (events, next_page_token) = page.cut(shown);
        Ok(Response::new(pb::ListUsageEventsResponse { events, next_page_token }))
    }
}

/// What an event, a pair of its metadata and an allocation take on the wire at most, besides texts.
const EVENT_BYTES: usize = 220;
const PAIR_BYTES: usize = 8;
const ALLOCATION_BYTES: usize = 74;

/// What an event takes on the wire at most.
pub(super) fn bytes_of(customer: &Customer, event: &UsageEvent) -> usize {
    let pairs = event.metadata.iter().map(|(key, value)| key.len() + value.len() + PAIR_BYTES);
    let hold_id = event.hold_id.as_ref().map_or(0, |id| id.as_str().len() + PAIR_BYTES);
    let texts = event.event_id.as_str().len() * 2 + event.metric.as_str().len() + hold_id;
    EVENT_BYTES
        + texts
        + customer.external_id.len()
        + pairs.sum::<usize>()
        + event.taken.len() * ALLOCATION_BYTES
}

/// A recorded event, and whether it had been recorded before.
pub(super) fn recorded(outcome: &Outcome) -> Result<(&UsageEvent, bool), Status> {
    match outcome {
        Outcome::Usage { event, duplicate } => Ok((event, *duplicate)),
        other => Err(status::unexpected_outcome(other)),
    }
}

/// What the event would do, and what each grant of the customer says to it.
fn preview(
    draw: &Draw<'_>,
    account: &crate::domain::account::Account,
) -> Result<pb::PreviewUsageResponse, crate::domain::amount::AmountError> {
    let grants: Vec<_> = account.grants().collect();
    let plan = draw.plan(grants.iter().copied())?;
    let allocations = plan.slices.iter().map(|slice| {
        let grant_id = grants[slice.index].id;
        convert::allocation(&Allocation { grant_id, amount: slice.take })
    });
    let mut candidates = Vec::new();
    for (position, grant) in (1..).zip(&grants).take(limits::PREVIEW_CANDIDATES_MAX) {
        let verdict = draw.verdict(grant)?;
        let available = match verdict {
            Verdict::Eligible(available) => available,
            _ => Amount::ZERO,
        };
        candidates.push(pb::Candidate {
            grant_id: grant.id.to_string(),
            position,
            verdict: verdict_of(verdict).into(),
            available: available.to_string(),
        });
    }
    let omitted = grants.len().saturating_sub(candidates.len());
    Ok(pb::PreviewUsageResponse {
        covered: plan.covered.to_string(),
        uncovered: plan.uncovered.to_string(),
        allocations: allocations.collect(),
        candidates,
        candidates_omitted: i32::try_from(omitted).unwrap_or(i32::MAX),
    })
}

fn verdict_of(verdict: Verdict) -> pb::CandidateVerdict {
    match verdict {
        Verdict::Eligible(_) => pb::CandidateVerdict::Eligible,
        Verdict::Pending => pb::CandidateVerdict::Pending,
        Verdict::Expired => pb::CandidateVerdict::Expired,
        Verdict::Voided => pb::CandidateVerdict::Voided,
        Verdict::Exhausted => pb::CandidateVerdict::Exhausted,
        Verdict::Held => pb::CandidateVerdict::Held,
        Verdict::OtherMetric => pb::CandidateVerdict::OtherMetric,
        Verdict::OtherType => pb::CandidateVerdict::OtherType,
    }
}
