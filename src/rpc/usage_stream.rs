//! StreamUsage: usage events in bulk.

use futures_util::FutureExt as _;
use tonic::Status;

use super::stream::{Conversation, Underway};
use super::usage::{bytes_of, recorded};
use super::{Services, convert, parse, status};
use crate::domain::command::Outcome;
use crate::domain::ids::Customer;
use crate::engine::{Pending, Reply};
use crate::{limits, pb};

/// A caller's events.
pub(super) struct UsageStream(pub(super) Services);

impl Conversation for UsageStream {
    type Request = pb::StreamUsageRequest;
    type Response = pb::StreamUsageResponse;

    async fn begin(
        &mut self,
        request: pb::StreamUsageRequest,
    ) -> Result<Option<Underway<pb::StreamUsageResponse>>, Status> {
        if request.events.is_empty() || request.events.len() > limits::STREAM_EVENTS_MAX {
            let most = limits::STREAM_EVENTS_MAX;
            return Err(status::invalid_field("events", &format!("must be 1 to {most}")));
        }
        let mut events = Vec::with_capacity(request.events.len());
        let mut commands = Vec::with_capacity(request.events.len());
        for event in request.events {
            let event_id = event.event_id.clone();
            let read = parse::record_usage(event, &self.0.actor).map(|command| {
                let customer = command.customer.clone();
                commands.push(command);
                customer
            });
            events.push(Event { event_id, read });
        }
        let pending = self.0.engine.enqueue(commands, None).await;
        Ok(Some(finish(events, pending).boxed()))
    }
}

struct Event {
    event_id: String,
    /// The customer, or why the event never reached the engine.
    read: Result<Customer, Status>,
}

async fn finish(events: Vec<Event>, pending: Pending) -> Result<pb::StreamUsageResponse, Status> {
    let mut replies = pending.replies().await.into_iter();
    let mut bytes = 0;
    let mut results = Vec::with_capacity(events.len());
    for event in events {
        let result = event.read.and_then(|customer| {
            let reply: Option<Reply> = replies.next();
            let reply = reply.ok_or_else(|| status::unexpected(&"a reply is missing"))?;
            result(&mut bytes, &customer, &reply.map_err(status::of_failure)?)
        });
        let result = result.unwrap_or_else(|error| pb::UsageResult {
            outcome: Some(pb::usage_result::Outcome::Error(status::within(&mut bytes, &error))),
            ..pb::UsageResult::default()
        });
        results.push(pb::UsageResult { event_id: shown(&mut bytes, event.event_id), ..result });
    }
    Ok(pb::StreamUsageResponse { results })
}

/// An event's id as it was sent: one that is too long is refused, and yet there may be many.
fn shown(bytes: &mut usize, mut event_id: String) -> String {
    *bytes += event_id.len();
    if *bytes > limits::STREAM_RESPONSE_BYTES_MAX {
        event_id.truncate(event_id.floor_char_boundary(limits::ID_BYTES_MAX));
    }
    event_id
}

/// One event's result; `bytes` counts what the response has taken so far. Once they are too many,
/// allocations and metadata are left out.
fn result(
    bytes: &mut usize,
    customer: &Customer,
    outcome: &Outcome,
) -> Result<pb::UsageResult, Status> {
    let (event, duplicate) = recorded(outcome)?;
    *bytes += bytes_of(customer, event);
    let shortened = *bytes > limits::STREAM_RESPONSE_BYTES_MAX;
    let show = if shortened { convert::usage_figures } else { convert::usage_event };
    let event = show(customer, event).map_err(status::of_arithmetic)?;
    let outcome = Some(pb::usage_result::Outcome::Event(event));
    Ok(pb::UsageResult { outcome, duplicate, shortened, ..pb::UsageResult::default() })
}
