//! Sends the scenario's usage events over several streams, a customer's always over the same one,
//! and adds up the answers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use rust_decimal::Decimal;
use tokio::task::JoinSet;
use tokio_stream::iter;
use tonic_types::RpcStatusExt as _;

use super::Error;
use super::scenario::{METRICS, Scenario};
use super::summary::Tally;
use crate::cli::Connection;
use crate::cli::patience::Patience;
use crate::cli::progress::{Progress, Total};
use crate::limits;
use crate::pb::usage_result::Outcome;
use crate::pb::usage_service_client::UsageServiceClient;
use crate::pb::{StreamUsageRequest, UsageResult};

/// One stream's share of the replay.
struct Lane {
    scenario: Arc<Scenario>,
    /// Its requests, by index; each is one event per metric.
    requests: Arc<[usize]>,
    /// Events in one message.
    batch: NonZeroUsize,
    /// Events answered so far.
    answered: usize,
    tally: Tally,
}

/// Replays everything and adds it up.
///
/// # Errors
/// What creditd answers to a stream as a whole, and connections that stay lost.
pub async fn replay(
    channel: &Connection,
    scenario: &Arc<Scenario>,
    streams: usize,
    batch: NonZeroUsize,
) -> Result<Tally, Error> {
    let progress = Arc::new(Progress::new("events", Total::known(scenario.events())));
    let mut lanes = JoinSet::new();
    for requests in scenario.lanes(streams) {
        let lane = Lane {
            scenario: Arc::clone(scenario),
            requests: requests.into(),
            batch,
            answered: 0,
            tally: Tally::new(scenario.customers.len()),
        };
        let client = UsageServiceClient::new(channel.clone())
            .max_decoding_message_size(limits::MESSAGE_BYTES_MAX);
        lanes.spawn(lane.run(client, Arc::clone(&progress)));
    }
    let mut total = Tally::new(scenario.customers.len());
    while let Some(tally) = lanes.join_next().await {
        let tally = tally.map_err(|_| Error::Unexpected("a stream of the demo panicked"))?;
        total.add(&tally?)?;
    }
    progress.done();
    Ok(total)
}

/// The requests of one stream from its `from`th event on, each of `batch` events.
fn messages(
    scenario: Arc<Scenario>,
    requests: Arc<[usize]>,
    from: usize,
    batch: NonZeroUsize,
) -> impl Iterator<Item = StreamUsageRequest> {
    let end = requests.len() * METRICS.len();
    (from..end).step_by(batch.get()).map(move |start| {
        let events = (start..end)
            .take(batch.get())
            .filter_map(|event| {
                let request = requests.get(event / METRICS.len())?;
                scenario.event(*request, event % METRICS.len())
            })
            .collect();
        StreamUsageRequest { events }
    })
}

impl Lane {
    async fn run(
        mut self,
        mut client: UsageServiceClient<Connection>,
        progress: Arc<Progress>,
    ) -> Result<Tally, Error> {
        let mut patience = Patience::new();
        while self.answered < self.requests.len() * METRICS.len() {
            let before = self.answered;
            let broken = match self.stream(&mut client, &progress).await? {
                None if self.answered > before => continue,
                None => return Err(Error::Unexpected("creditd ended a stream without answering")),
                Some(status) => status,
            };
            // Sent again from the first event not answered; what had been recorded nevertheless
            // comes back as a duplicate and draws nothing.
            if self.answered > before {
                patience.restore();
            }
            patience.wait(broken, &progress).await?;
        }
        Ok(self.tally)
    }

    /// One stream, from the first event not answered; returns what broke it, if anything did.
    async fn stream(
        &mut self,
        client: &mut UsageServiceClient<Connection>,
        progress: &Progress,
    ) -> Result<Option<tonic::Status>, Error> {
        // Flow control decides how many of the messages are in flight.
        let messages = messages(
            Arc::clone(&self.scenario),
            Arc::clone(&self.requests),
            self.answered,
            self.batch,
        );
        let mut answers = match client.stream_usage(iter(messages)).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Ok(Some(status)),
        };
        loop {
            match answers.message().await {
                Ok(Some(answer)) => {
                    let mut steps = 0;
                    for result in answer.results {
                        self.take(result)?;
                        steps += 1;
                    }
                    progress.add(steps);
                }
                Ok(None) => return Ok(None),
                Err(status) => return Ok(Some(status)),
            }
        }
    }

    fn take(&mut self, result: UsageResult) -> Result<(), Error> {
        let metric = self.answered % METRICS.len();
        let request = self.requests.get(self.answered / METRICS.len());
        let sent = request.and_then(|&request| self.scenario.event(request, metric));
        let who = request.and_then(|&request| self.scenario.who.get(request));
        let (Some(sent), Some(&who)) = (sent, who) else {
            return Err(Error::Unexpected("creditd answered more events than were sent"));
        };
        if sent.event_id != result.event_id {
            return Err(Error::Unexpected("creditd answered another event than was sent"));
        }
        match result.outcome {
            Some(Outcome::Event(event)) => {
                self.tally.duplicates += u64::from(result.duplicate);
                self.tally.record(
                    metric,
                    who,
                    decimal(&event.quantity)?,
                    decimal(&event.covered)?,
                    decimal(&event.uncovered)?,
                )?;
            }
            Some(Outcome::Error(status)) => {
                let reason = status.get_details_error_info().map(|info| info.reason);
                self.tally.refuse(reason.unwrap_or(status.message));
            }
            None => return Err(Error::Unexpected("creditd answered an event without an outcome")),
        }
        self.answered += 1;
        Ok(())
    }
}

fn decimal(text: &str) -> Result<Decimal, Error> {
    Decimal::from_str_exact(text)
        .map_err(|_| Error::Unexpected("creditd answered a figure that is not a decimal"))
}

#[cfg(test)]
mod tests {
    use super::super::trace;
    use super::*;

    #[test]
    fn messages_hold_every_event_once_and_in_order() {
        let scenario = Arc::new(Scenario::new("t", trace::load(&[]).unwrap(), 200, 7));
        let lane: Arc<[usize]> = [3, 5, 8, 9].into();
        for (from, batch, sizes) in
            [(0, 3, vec![3, 3, 2]), (3, 1, vec![1; 5]), (6, 500, vec![2]), (8, 500, vec![])]
        {
            let batch = NonZeroUsize::new(batch).unwrap();
            let sent: Vec<StreamUsageRequest> =
                messages(Arc::clone(&scenario), Arc::clone(&lane), from, batch).collect();
            let found: Vec<usize> = sent.iter().map(|message| message.events.len()).collect();
            assert_eq!(found, sizes);
            let ids: Vec<String> =
                sent.into_iter().flat_map(|m| m.events).map(|e| e.event_id).collect();
            let all: Vec<String> = lane
                .iter()
                .flat_map(|&request| [0, 1].map(|metric| scenario.event(request, metric)))
                .map(|event| event.unwrap().event_id)
                .collect();
            assert_eq!(ids, all[from..]);
        }
    }
}
