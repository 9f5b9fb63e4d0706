//! What a trace shows. Known to all floors, and the only place that opens spans: whoever wonders what
//! leaves the house in a trace reads this file.
//!
//! A span names what is done, how many times, and how it ended; never whose it is, and nothing that a
//! caller has sent besides the context of its trace. Events are not part of it: those are logs.
//!
//! Where no traces are asked for, nobody listens to these spans. Then opening one is a look at a flag,
//! and what is opened is [`Span::none`].

use std::collections::HashSet;

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Level, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// What tells these spans from those of libraries.
pub const TARGET: &str = module_path!();

/// A call, which goes on with the trace that its headers tell of. `name` is the service's, a slash,
/// and the method's.
pub fn call(name: &str, headers: &HeaderMap) -> Span {
    if !tracing::span_enabled!(Level::INFO) {
        return Span::none();
    }
    let (service, method) = name.split_once('/').unwrap_or_default();
    let span = info_span!(
        "call",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
    );
    let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // It fails where the span goes nowhere.
    drop(span.set_parent(caller));
    span
}

/// How a call ended.
pub fn answered(call: &Span, code: i32, our_fault: bool) {
    call.record("rpc.grpc.status_code", code);
    failed_if(our_fault, call);
}

/// The span of who asks for something to be carried out, if it is recorded.
pub fn asking() -> Span {
    if !tracing::span_enabled!(Level::INFO) {
        return Span::none();
    }
    let span = Span::current();
    let recorded = span.context().span().span_context().is_sampled();
    if recorded { span } else { Span::none() }
}

/// A batch that carries out what these asked for: part of the first one's trace, with a link to each
/// call, however much of it is in the batch. None of them recorded, it is not either.
pub fn batch(asked: &[Span], commands: usize) -> Span {
    let Some(first) = asked.first() else { return Span::none() };
    let span = info_span!(parent: first, "batch", commands = number(commands));
    let mut linked = HashSet::new();
    for asked in asked.iter().filter(|asked| linked.insert(asked.id())) {
        span.follows_from(asked);
    }
    span
}

/// A pass of the sweeper.
pub fn sweep() -> Span {
    info_span!(
        "sweep",
        customers = tracing::field::Empty,
        renewed = tracing::field::Empty,
        removed = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

/// What a pass did.
pub fn swept(sweep: &Span, customers: usize, renewed: usize, removed: usize) {
    let figures = [("customers", customers), ("renewed", renewed), ("removed", removed)];
    for (name, figure) in figures {
        sweep.record(name, number(figure));
    }
}

/// An attempt at a webhook, the first being 1. Receivers are not told of the trace: it is none of
/// theirs, and most are other people's.
pub fn webhook(attempt: i32) -> Span {
    info_span!(
        "webhook",
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        attempt,
        http.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
    )
}

/// What came of an attempt; `error` in words of ours, where it failed.
pub fn received(webhook: &Span, status: Option<u16>, error: Option<&str>) {
    webhook.record("http.response.status_code", status.map(i64::from)).record("error.type", error);
    failed_if(error.is_some(), webhook);
}

/// Marks a span as that of a failure, where it is one.
pub fn failed_if(failed: bool, span: &Span) {
    if failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// A figure as traces take it.
fn number(figure: usize) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}
