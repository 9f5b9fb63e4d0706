//! Streams that are answered request by request: several of one stream under way, answered in order.

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::answers::{Answers, answers};
use super::status;
use crate::limits;

/// The responses of one stream.
pub(super) type Responses<T> = ReceiverStream<Result<T, Status>>;
/// A request that is under way; where it fails, so does the stream.
pub(super) type Underway<T> = BoxFuture<'static, Result<T, Status>>;

/// What one stream is about.
pub(super) trait Conversation: Send + 'static {
    /// What the caller sends.
    type Request: Send + 'static;
    /// What each request is answered with.
    type Response: Send + 'static;

    /// Takes a request off the stream and queues what it asks for, waiting for room. None where
    /// the request has no response of its own.
    fn begin(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Option<Underway<Self::Response>>, Status>> + Send;

    /// The caller has sent all.
    fn end(&self) -> Result<(), Status> {
        Ok(())
    }

    /// Completes a response when its turn has come: for what depends on all responses before it.
    fn conclude(&mut self, _response: &mut Self::Response) {}
}

/// Serves one stream until the caller ends it, hangs up, or creditd goes down.
///
/// What was queued is carried out whether or not the caller is still there; it is a task of its
/// own, which a caller that hangs up does not cancel.
pub(super) fn serve<C: Conversation>(
    conversation: C,
    requests: Streaming<C::Request>,
    closing: CancellationToken,
) -> Responses<C::Response> {
    answers(|answers| async move { run(conversation, requests, &answers, closing).await })
}

async fn run<C: Conversation>(
    mut conversation: C,
    mut requests: Streaming<C::Request>,
    answers: &Answers<C::Response>,
    closing: CancellationToken,
) -> Result<(), Status> {
    let mut in_flight = FuturesOrdered::new();
    let mut ending = None;
    loop {
        let room = in_flight.len() < limits::STREAM_IN_FLIGHT;
        tokio::select! {
            biased;
            Some(response) = in_flight.next() => {
                let mut response = response?;
                conversation.conclude(&mut response);
                if answers.send(Ok(response)).await.is_err() {
                    return Ok(());
                }
            }
            () = closing.cancelled(), if ending.is_none() => {
                ending = Some(Err(status::draining()));
            }
            request = requests.message(), if ending.is_none() && room => {
                let begun = match request {
                    Ok(Some(request)) => conversation.begin(request).await,
                    Ok(None) => {
                        ending = Some(conversation.end());
                        continue;
                    }
                    Err(status) => Err(status),
                };
                match begun {
                    Ok(begun) => in_flight.extend(begun),
                    Err(status) => ending = Some(Err(status)),
                }
            }
            else => return ending.unwrap_or(Ok(())),
        }
    }
}
