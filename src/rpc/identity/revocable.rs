//! Streams that end when the key that began them is revoked.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;

use super::super::status;

/// An answer that ends with UNAUTHENTICATED once `revoked` is cancelled.
pub(super) struct Revocable {
    body: Body,
    revoked: CancellationToken,
    /// Made when an answer takes time, which those of unary calls do not.
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Revocable {
    pub(super) fn new(body: Body, revoked: CancellationToken) -> Self {
        Self { body, revoked, waiting: None, ended: false }
    }
}

impl http_body::Body for Revocable {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let revoked = self.revoked.clone();
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(revoked.cancelled_owned()));
        if waiting.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.ended = true;
        let mut trailers = HeaderMap::new();
        status::unauthenticated().add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
