//! Every call is counted, timed and traced, whatever becomes of it: around all other layers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::time::Instant;
use tonic::Code;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use super::deadline;
use crate::limits;
use crate::metrics::{Counter, Counters, Gauge, Registry, Result, Timing, Timings};
use crate::{pb, spans};

/// The codes' names, each at its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The layer that counts calls.
#[derive(Clone)]
pub struct Calls {
    /// By the paths of their requests.
    methods: Arc<HashMap<String, Arc<Method>>>,
    /// What is asked of methods that there are not.
    unknown: Arc<Method>,
}

/// What is counted of one method.
struct Method {
    /// Service, slash, method.
    name: String,
    open: Gauge,
    ends: Ends,
    /// By code; made when the first call ends like that, as most never do.
    ended: [OnceLock<End>; CODES.len()],
}

/// Where ends are counted: a stream lasts as long as its caller likes, which is worth no histogram.
#[derive(Clone)]
enum Ends {
    Calls(Timings),
    Streams(Counters),
}

enum End {
    Call(Timing),
    Stream(Counter),
}

impl Calls {
    /// Counts in this registry.
    ///
    /// # Errors
    /// Where somebody else does already.
    pub fn new(registry: &Registry) -> Result<Self> {
        let open = registry.gauges(
            "creditd_calls_in_flight",
            "Calls under way, and streams that are open.",
            &["method"],
        )?;
        let calls = Ends::Calls(registry.timings(
            "creditd_call_duration_seconds",
            "From a call's headers to its status; streams are left out.",
            &["method", "code"],
        )?);
        let streams = Ends::Streams(registry.counters(
            "creditd_streams_total",
            "Streams that have ended.",
            &["method", "code"],
        )?);
        let method = |name: String, streaming: bool| {
            let open = open.with_label_values(&[&name]);
            let ends = if streaming { &streams } else { &calls }.clone();
            Arc::new(Method { name, open, ends, ended: Default::default() })
        };
        let methods = served().into_iter().map(|(name, streaming)| {
            let path = format!("/{name}");
            (path, method(name, streaming))
        });
        let methods = Arc::new(methods.collect());
        Ok(Self { methods, unknown: method("unknown".into(), false) })
    }

    fn method(&self, path: &str) -> &Arc<Method> {
        self.methods.get(path).unwrap_or(&self.unknown)
    }
}

/// The methods that may be served, and whether they stream.
fn served() -> Vec<(String, bool)> {
    let sets = [
        pb::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    // They were made by the compiler that made the services; what did not decode is not counted.
    let files = sets.iter().filter_map(|set| FileDescriptorSet::decode(*set).ok());
    let mut methods = Vec::new();
    for file in files.flat_map(|set| set.file) {
        for service in &file.service {
            methods.extend(service.method.iter().map(|method| {
                let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                (name, method.client_streaming() || method.server_streaming())
            }));
        }
    }
    methods
}

impl Method {
    fn count(&self, code: Code, begun: Instant) {
        let number = usize::try_from(i32::from(code)).unwrap_or_default();
        let (Some(ended), Some(code)) = (self.ended.get(number), CODES.get(number)) else { return };
        let labels = [self.name.as_str(), code];
        let end = ended.get_or_init(|| match &self.ends {
            Ends::Calls(calls) => End::Call(calls.of(&labels)),
            Ends::Streams(streams) => End::Stream(streams.with_label_values(&labels)),
        });
        match end {
            End::Call(call) => call.took(begun.elapsed()),
            End::Stream(stream) => stream.inc(),
        }
    }
}

/// A call under way. Dropped, it has ended.
struct Call {
    method: Arc<Method>,
    span: Span,
    begun: Instant,
    /// How long it may take until its answer begins.
    patience: Option<Duration>,
    /// Until it has a status, its caller may hang up.
    code: Code,
}

/// The part of a call's time, one in so many, at whose end its caller counts as out of patience: it began
/// to count before we did, by the request's way here.
const LAST_PART: u32 = 10;

impl Call {
    fn begin(method: &Arc<Method>, headers: &HeaderMap) -> Self {
        method.open.inc();
        Self {
            method: Arc::clone(method),
            span: spans::call(&method.name, headers),
            begun: Instant::now(),
            patience: Some(
                deadline::patience(headers)
                    .map_or(limits::CALL_TIME_MAX, |patience| patience.min(limits::CALL_TIME_MAX)),
            ),
            code: Code::Cancelled,
        }
    }

    /// It ends with the status in these headers, or trailers.
    fn end(mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status");
        self.code = status.map_or(Code::Unknown, |status| Code::from_bytes(status.as_bytes()));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // When its time is over tonic drops it without a word, or its caller hangs up.
        let took = self.begun.elapsed();
        let is_over = |patience: Duration| took.saturating_add(patience / LAST_PART) >= patience;
        if self.code == Code::Cancelled && self.patience.is_some_and(is_over) {
            self.code = Code::DeadlineExceeded;
        }
        self.method.open.dec();
        self.method.count(self.code, self.begun);
        spans::answered(&self.span, i32::from(self.code), is_our_fault(self.code));
    }
}

/// Whether a trace shows the call as failed: what callers do wrong is no failure of the server's.
fn is_our_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counted { inner, calls: self.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    calls: Calls,
}

impl<S, I, O> Service<Request<I>> for Counted<S>
where
    S: Service<Request<I>, Response = Response<O>>,
    S::Future: Send + 'static,
    O: Body,
{
    type Response = Response<Answered<O>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<I>) -> Self::Future {
        let mut call = Call::begin(self.calls.method(request.uri().path()), request.headers());
        let span = call.span.clone();
        let answer = span.in_scope(|| self.inner.call(request));
        let counted = async move {
            let (head, body) = answer.await?.into_parts();
            call.patience = None;
            let mut call = Some(call);
            if head.headers.contains_key("grpc-status") || body.is_end_stream() {
                call.take().into_iter().for_each(|call| call.end(&head.headers));
            }
            Ok(Response::from_parts(head, Answered { body, call }))
        };
        Box::pin(counted.instrument(span))
    }
}

/// The body of an answer, whose trailers tell how the call ended.
pub struct Answered<B> {
    body: B,
    call: Option<Call>,
}

impl<B: Body + Unpin> Body for Answered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
            && let Some(call) = self.call.take()
        {
            call.end(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
