//! StreamUsage: several requests of one stream in flight, answered in order.

use std::panic::AssertUnwindSafe;

use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::usage::{bytes_of, recorded};
use super::{Services, convert, parse, status};
use crate::domain::command::Outcome;
use crate::domain::ids::Customer;
use crate::engine::{Pending, Reply};
use crate::{limits, pb};

type Responses = mpsc::Sender<Result<pb::StreamUsageResponse, Status>>;

/// Serves one stream until the caller ends it, hangs up, or creditd goes down.
///
/// What was queued is carried out whether or not the caller is still there; it is a task of its
/// own, which a caller that hangs up does not cancel.
pub(super) fn serve(
    services: Services,
    requests: Streaming<pb::StreamUsageRequest>,
) -> ReceiverStream<Result<pb::StreamUsageResponse, Status>> {
    // One: the responses that wait are those in flight.
    let (responses, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        let served = AssertUnwindSafe(run(&services, requests, &responses)).catch_unwind().await;
        // A stream that just ended would look as if all of it had been answered.
        let served = served.unwrap_or_else(|_| Err(status::unexpected(&"a stream panicked")));
        if let Err(ending) = served {
            // A caller that has hung up does not hear it.
            drop(responses.send(Err(ending)).await);
        }
    });
    ReceiverStream::new(stream)
}

async fn run(
    services: &Services,
    mut requests: Streaming<pb::StreamUsageRequest>,
    responses: &Responses,
) -> Result<(), Status> {
    let mut in_flight = FuturesOrdered::new();
    let mut ending = None;
    loop {
        let room = in_flight.len() < limits::STREAM_IN_FLIGHT;
        tokio::select! {
            biased;
            Some(response) = in_flight.next() => {
                if responses.send(Ok(response)).await.is_err() {
                    return Ok(());
                }
            }
            () = services.closing.cancelled(), if ending.is_none() => {
                ending = Some(Err(status::draining()));
            }
            request = requests.message(), if ending.is_none() && room => {
                match begin(services, request).await {
                    Ok(Some(begun)) => in_flight.push_back(begun.finish()),
                    Ok(None) => ending = Some(Ok(())),
                    Err(status) => ending = Some(Err(status)),
                }
            }
            else => return ending.unwrap_or(Ok(())),
        }
    }
}

/// One request on its way: what is known of each event, and what the engine will say.
struct Begun {
    events: Vec<Event>,
    pending: Pending,
}

struct Event {
    event_id: String,
    /// The customer, or why the event never reached the engine.
    read: Result<Customer, Status>,
}

/// Takes a request off the stream and queues its events, waiting for room. None at the end.
async fn begin(
    services: &Services,
    request: Result<Option<pb::StreamUsageRequest>, Status>,
) -> Result<Option<Begun>, Status> {
    let Some(request) = request? else { return Ok(None) };
    if request.events.is_empty() || request.events.len() > limits::STREAM_EVENTS_MAX {
        let most = limits::STREAM_EVENTS_MAX;
        return Err(status::invalid_field("events", &format!("must be 1 to {most}")));
    }
    let mut events = Vec::with_capacity(request.events.len());
    let mut commands = Vec::with_capacity(request.events.len());
    for event in request.events {
        let event_id = event.event_id.clone();
        let read = parse::record_usage(event, &services.actor).map(|command| {
            let customer = command.customer.clone();
            commands.push(command);
            customer
        });
        events.push(Event { event_id, read });
    }
    let pending = services.engine.enqueue(commands, None).await;
    Ok(Some(Begun { events, pending }))
}

impl Begun {
    async fn finish(self) -> pb::StreamUsageResponse {
        let mut replies = self.pending.replies().await.into_iter();
        let mut bytes = 0;
        let results = self.events.into_iter().map(|event| {
            let result = event.read.and_then(|customer| {
                let reply: Option<Reply> = replies.next();
                let reply = reply.ok_or_else(|| status::unexpected(&"a reply is missing"))?;
                result(&mut bytes, &customer, &reply.map_err(status::of_failure)?)
            });
            let result = result.unwrap_or_else(|error| pb::UsageResult {
                outcome: Some(pb::usage_result::Outcome::Error(status::as_message(&error))),
                ..pb::UsageResult::default()
            });
            pb::UsageResult { event_id: event.event_id, ..result }
        });
        pb::StreamUsageResponse { results: results.collect() }
    }
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
    let event = show(customer, event).map_err(|error| status::unexpected(&error))?;
    let outcome = Some(pb::usage_result::Outcome::Event(event));
    Ok(pb::UsageResult { outcome, duplicate, shortened, ..pb::UsageResult::default() })
}
