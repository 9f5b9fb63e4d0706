//! Traces, sent to a collector over OTLP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use tracing::Metadata;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;

use super::Listener;
use crate::{limits, spans};

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub struct Traces {
    /// The collector's URL; it speaks OTLP over gRPC.
    pub endpoint: String,
    /// The share of traces begun here that is recorded, from 0 to 1. Those begun elsewhere are where
    /// their callers' are.
    pub ratio: Decimal,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent there: {0}")]
pub struct Error(#[from] ExporterBuildError);

impl Traces {
    /// What sends spans from a thread of its own. To be made where there is a runtime: the
    /// connection lives there.
    pub(super) fn begin(&self) -> Result<Sending, Error> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&self.endpoint)
            .with_timeout(limits::TRACES_TIMEOUT)
            .build()?;
        let ratio = Sampler::TraceIdRatioBased(self.ratio.to_f64().unwrap_or_default());
        let resource = Resource::builder()
            .with_service_name("creditd")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let away = Arc::new(AtomicBool::new(false));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Told { exporter, away: Arc::clone(&away) })
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_max_links_per_span(limits::BATCH_LINKS_MAX)
            .with_resource(resource)
            .build();
        Ok(Sending { provider, away })
    }
}

/// Traces on their way.
pub(super) struct Sending {
    provider: SdkTracerProvider,
    away: Arc<AtomicBool>,
}

impl Sending {
    /// What makes [our spans](spans) those of a trace. Where in the source they are opened, and by
    /// which thread, is no part of them.
    pub(super) fn listener(&self) -> Listener {
        let ours =
            |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == spans::TARGET;
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("creditd"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(ours))
            .boxed()
    }

    /// Sends what waits, in [`limits::TRACES_FLUSH`] or not at all.
    pub(super) async fn end(self) {
        let Self { provider, away } = self;
        let end = move || provider.shutdown_with_timeout(limits::TRACES_FLUSH);
        let ended = tokio::task::spawn_blocking(end).await;
        if let Ok(Err(error)) = ended
            && !away.load(Ordering::Relaxed)
        {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// Says once that the collector is away, and once that it is back.
#[derive(Debug)]
struct Told {
    exporter: opentelemetry_otlp::SpanExporter,
    away: Arc<AtomicBool>,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let was_away = self.away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_away => {
                tracing::warn!(%error, "traces do not reach the collector, and are lost");
            }
            Ok(()) if was_away => tracing::info!("traces reach the collector again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
