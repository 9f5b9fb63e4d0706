//! A collector of traces: what opentelemetry-proto says that one is, keeping what it gets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A collector on a free port.
pub struct Collector {
    address: SocketAddr,
    seen: Seen,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(seen.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        Self { address, seen, serving: tokio::spawn(server) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was sent, as text.
    pub fn everything(&self) -> String {
        format!("{:?}", self.seen.0.lock().expect("a lock"))
    }

    /// The spans of this name, in the order in which they came.
    pub fn spans(&self, name: &str) -> Vec<Span> {
        let seen = self.seen.0.lock().expect("a lock");
        let resources = seen.iter().flat_map(|request| &request.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans);
        let spans = spans.flat_map(|scope| &scope.spans);
        spans.filter(|span| span.name == name).cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Seen {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().expect("a lock").push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// The attributes of a span, as `name=value`, sorted; texts in quotes.
pub fn attributes(span: &Span) -> Vec<String> {
    let value = |value: Value| match value {
        Value::StringValue(text) => format!("{text:?}"),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = span.attributes.iter().cloned().map(|attribute| {
        let found = attribute.value.and_then(|any| any.value).map_or_else(String::new, value);
        format!("{}={found}", attribute.key)
    });
    let mut attributes: Vec<String> = attributes.collect();
    attributes.sort();
    attributes
}

pub fn hex(id: &[u8]) -> String {
    let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
