//! Streams that end when the key that began them is revoked.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;

use super::super::status;

/// An answer that ends with UNAUTHENTICATED once `revoked` is cancelled: at once where it waits, and
/// else after the message under way, so that a slow reader does not hear more for being slow. What
/// was done is told all the same: the first message, which of a unary call is the only one, and how
/// the call ended.
pub(super) struct Revocable {
    body: Body,
    revoked: CancellationToken,
    /// Whether the first message is out.
    begun: bool,
    /// Made when an answer takes time, which those of unary calls do not.
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Revocable {
    pub(super) fn new(body: Body, revoked: CancellationToken) -> Self {
        Self { body, revoked, begun: false, waiting: None, ended: false }
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
            let message = matches!(&frame, Some(Ok(frame)) if frame.is_data());
            // tonic ends its frames where messages end: nobody is left with half of one.
            if !(message && self.begun && self.revoked.is_cancelled()) {
                self.begun |= message;
                return Poll::Ready(frame);
            }
        } else {
            let revoked = self.revoked.clone();
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(revoked.cancelled_owned()));
            if waiting.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
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

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tonic::Code;

    use super::*;

    /// Over the wire nobody can be sure to read so slowly.
    #[tokio::test]
    async fn who_always_finds_something_to_read_is_stopped_as_well() {
        let message = || Ok::<_, tonic::Status>(Frame::data(bytes::Bytes::from_static(b"m")));
        let endless = Body::new(StreamBody::new(tokio_stream::iter((0..).map(move |_| message()))));
        let revoked = CancellationToken::new();
        let mut body = Revocable::new(endless, revoked.clone());
        let mut next = async || body.frame().await.map(|frame| frame.unwrap());
        assert!(next().await.unwrap().is_data());
        assert!(next().await.unwrap().is_data());
        revoked.cancel();
        let trailers = next().await.unwrap().into_trailers().unwrap();
        let status = tonic::Status::from_header_map(&trailers).unwrap();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(next().await.is_none());
    }

    #[tokio::test]
    async fn what_was_done_is_told_all_the_same() {
        let mut end = HeaderMap::new();
        end.insert("grpc-status", "0".parse().unwrap());
        let frames = [Frame::data(bytes::Bytes::from_static(b"done")), Frame::trailers(end)];
        let frames = tokio_stream::iter(frames.map(Ok::<_, tonic::Status>));
        let revoked = CancellationToken::new();
        revoked.cancel();
        let mut body = Revocable::new(Body::new(StreamBody::new(frames)), revoked);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_trailers().unwrap()["grpc-status"],
            "0"
        );
        assert!(body.frame().await.is_none());
    }
}
