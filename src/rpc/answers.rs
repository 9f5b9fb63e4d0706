//! The answers of a stream, made by a task of its own, which a caller that hangs up does not cancel.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::status;

/// Where a stream's answers go. Waits until the caller has taken the one before the last.
pub(super) type Answers<T> = mpsc::Sender<Result<T, Status>>;

/// What `work` answers, and how it ends.
pub(super) fn answers<T, W>(work: impl FnOnce(Answers<T>) -> W) -> ReceiverStream<Result<T, Status>>
where
    T: Send + 'static,
    W: Future<Output = Result<(), Status>> + Send + 'static,
{
    // One: the answers that wait are those in the making.
    let (answers, stream) = mpsc::channel(1);
    let work = work(answers.clone());
    let work = async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        // A stream that just ended would look as if all of it had been answered.
        let done = done.unwrap_or_else(|_| Err(status::unexpected(&"a stream panicked")));
        if let Err(ending) = done {
            // A caller that has hung up does not hear it.
            drop(answers.send(Err(ending)).await);
        }
    };
    tokio::spawn(work.in_current_span());
    ReceiverStream::new(stream)
}
