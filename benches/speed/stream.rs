//! StreamUsage: the way in for bulk.

use std::sync::Arc;
use std::time::Duration;

use creditd::pb::usage_result::Outcome;
use creditd::pb::usage_service_client::UsageServiceClient;
use creditd::pb::{RecordUsageRequest, StreamUsageRequest, StreamUsageResponse};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, interval_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::Result;
use crate::cpu::Watched;
use crate::events::Events;
use crate::meter::{Measured, float};
use crate::server::Creditd;
use crate::window::Window;

/// Requests that a caller makes ahead of what the wire takes.
pub const AHEAD: usize = 4;

/// How the events arrive.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub streams: usize,
    /// Events in one request.
    pub events: usize,
}

impl Shape {
    /// When one of the streams sends its requests, so that all together send so many events per
    /// second, evenly.
    fn ticks(self, stream: usize, events_per_second: f64) -> Interval {
        let between = Duration::from_secs_f64(float(self.events) / events_per_second);
        let first = Instant::now() + between.mul_f64(float(stream));
        interval_at(first, between.mul_f64(float(self.streams)))
    }
}

/// Streams events for a while and counts the answers. With a pace it sends that many per second,
/// else as many as are taken.
pub async fn load(
    creditd: &Creditd,
    watched: Watched,
    seconds: f64,
    shape: Shape,
    pace: Option<f64>,
    events: impl Fn() -> Events,
) -> Result<Measured> {
    let window = Arc::new(Window::default());
    let mut callers = JoinSet::new();
    for (stream, channel) in creditd.channels(shape.streams).await?.into_iter().enumerate() {
        let (window, events) = (Arc::clone(&window), events());
        let ticks = pace.map(|pace| shape.ticks(stream, pace));
        callers.spawn(async move {
            let done = endless(channel, &window, shape.events, ticks, events).await;
            window.end();
            done
        });
    }
    let measured = window.measure(watched, seconds).await?;
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(measured)
}

/// Sends one batch after another until the window closes, and reads all answers.
async fn endless(
    channel: Channel,
    window: &Arc<Window>,
    size: usize,
    mut ticks: Option<Interval>,
    mut events: Events,
) -> Result<()> {
    let (requests, queue) = mpsc::channel(AHEAD);
    let open = Arc::clone(window);
    tokio::spawn(async move {
        while !open.is_over() {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let request = StreamUsageRequest { events: events.take(size) };
            if requests.send(request).await.is_err() {
                return; // the stream has failed, and its reader says why
            }
        }
    });
    let mut client = UsageServiceClient::new(channel);
    let mut answers = client.stream_usage(ReceiverStream::new(queue)).await?.into_inner();
    read(&mut answers, |count| window.answered(count)).await
}

/// Sends this many events and waits until all are answered.
pub async fn exactly(
    channel: Channel,
    mut count: usize,
    mut event: impl FnMut() -> RecordUsageRequest + Send + 'static,
) -> Result<()> {
    const SIZE: usize = 1_000;
    let (requests, queue) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        while count > 0 {
            let size = count.min(SIZE);
            let batch = (0..size).map(|_| event()).collect();
            if requests.send(StreamUsageRequest { events: batch }).await.is_err() {
                return;
            }
            count -= size;
        }
    });
    let mut client = UsageServiceClient::new(channel);
    let mut answers = client.stream_usage(ReceiverStream::new(queue)).await?.into_inner();
    read(&mut answers, |_| {}).await
}

/// Reads the answers to the end. Every event must be new, and paid for in full.
async fn read(
    answers: &mut Streaming<StreamUsageResponse>,
    mut answered: impl FnMut(usize),
) -> Result<()> {
    while let Some(answer) = answers.message().await? {
        for result in &answer.results {
            match &result.outcome {
                Some(Outcome::Event(event)) if event.uncovered == "0" && !result.duplicate => {}
                _ => {
                    return Err(
                        format!("an event was not recorded as it should: {result:?}").into()
                    );
                }
            }
        }
        answered(answer.results.len());
    }
    Ok(())
}
