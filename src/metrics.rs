//! What is counted, for Prometheus to read. Known to all floors: each counts what it does, in a
//! registry that it is given, and nobody keeps a second count of the same thing.
//!
//! Floating point, which Prometheus speaks, ends here.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec, Opts, TextEncoder};
use rust_decimal::prelude::ToPrimitive as _;

/// Counts up.
pub type Counter = prometheus::IntCounter;
/// The same, for each value of labels.
pub type Counters = prometheus::IntCounterVec;
/// Goes up and down.
pub type Gauge = prometheus::IntGauge;
/// The same, for each value of labels.
pub type Gauges = prometheus::IntGaugeVec;
/// Why something cannot be counted: two metrics have one name, or a name is none.
pub type Error = prometheus::Error;
/// A result of [`Error`].
pub type Result<T> = prometheus::Result<T>;

/// What the text is.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Bounds of what takes time, in seconds: a read takes a millisecond, a batch some, and who waits
/// for ten seconds has waited too long.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of how many come together, up to the largest batch that can be configured.
const SIZES: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Metrics by their names. Cloned, it is the same one.
#[derive(Debug, Clone)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// One that tells of the process and of the build.
    ///
    /// # Errors
    /// [`Error`].
    pub fn new() -> Result<Self> {
        let registry = Self(prometheus::Registry::new());
        registry.0.register(Box::new(ProcessCollector::for_self()))?;
        let build = registry.gauges(
            "creditd_build_info",
            "Always 1; the label tells which creditd this is.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(registry)
    }

    /// A counter.
    ///
    /// # Errors
    /// [`Error`], here and below.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter> {
        self.add(Counter::new(name, help)?)
    }

    /// Counters by label.
    ///
    /// # Errors
    /// [`Error`].
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<Counters> {
        self.add(Counters::new(Opts::new(name, help), labels)?)
    }

    /// A gauge.
    ///
    /// # Errors
    /// [`Error`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge> {
        self.add(Gauge::new(name, help)?)
    }

    /// Gauges by label.
    ///
    /// # Errors
    /// [`Error`].
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<Gauges> {
        self.add(Gauges::new(Opts::new(name, help), labels)?)
    }

    /// Gauges that are set by `look` whenever somebody reads them: it must be quick, and ask nobody.
    ///
    /// # Errors
    /// [`Error`].
    pub fn looked_at(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        look: impl Fn(&Gauges) + Send + Sync + 'static,
    ) -> Result<()> {
        let metrics = Gauges::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(LookedAt { metrics, look }))
    }

    /// Counters that somebody else keeps: `count` tells how far each is, by the values of its labels,
    /// whenever somebody reads them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn counted_elsewhere<const N: usize, const M: usize>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str; N],
        count: impl Fn() -> [([&'static str; N], u64); M] + Send + Sync + 'static,
    ) -> Result<()> {
        let metrics = Counters::new(Opts::new(name, help), labels)?;
        let look = move |counters: &Counters| {
            for (values, counted) in count() {
                let counter = counters.with_label_values(&values);
                counter.inc_by(counted.saturating_sub(counter.get()));
            }
        };
        self.0.register(Box::new(LookedAt { metrics, look }))
    }

    /// How long something takes.
    ///
    /// # Errors
    /// [`Error`].
    pub fn timing(&self, name: &str, help: &str) -> Result<Timing> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.add(Histogram::with_opts(options)?).map(Timing)
    }

    /// The same by label.
    ///
    /// # Errors
    /// [`Error`].
    pub fn timings(&self, name: &str, help: &str, labels: &[&str]) -> Result<Timings> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.add(HistogramVec::new(options, labels)?).map(Timings)
    }

    /// How many come together.
    ///
    /// # Errors
    /// [`Error`].
    pub fn sizes(&self, name: &str, help: &str) -> Result<Sizes> {
        let options = HistogramOpts::new(name, help).buckets(SIZES.to_vec());
        self.add(Histogram::with_opts(options)?).map(Sizes)
    }

    /// All of it, as Prometheus reads it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.0.gather())
    }

    fn add<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// How long something takes.
#[derive(Debug, Clone)]
pub struct Timing(Histogram);

impl Timing {
    /// It took so long.
    pub fn took(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }
}

/// How long something takes, by label.
#[derive(Debug, Clone)]
pub struct Timings(HistogramVec);

impl Timings {
    /// That of these values.
    #[must_use]
    pub fn of(&self, labels: &[&str]) -> Timing {
        Timing(self.0.with_label_values(labels))
    }
}

/// How many come together.
#[derive(Debug, Clone)]
pub struct Sizes(Histogram);

impl Sizes {
    /// So many came.
    pub fn came(&self, many: usize) {
        self.0.observe(many.to_f64().unwrap_or(f64::INFINITY));
    }

    /// How often some came.
    #[must_use]
    pub fn times(&self) -> u64 {
        self.0.get_sample_count()
    }

    /// How many came in all. Exact below 2^53.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.0.get_sample_sum().to_u64().unwrap_or(u64::MAX)
    }
}

/// A number for a counter.
#[must_use]
pub fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

/// A number for a gauge.
#[must_use]
pub fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// Metrics that are brought up to date whenever they are read.
struct LookedAt<M, F> {
    metrics: M,
    look: F,
}

impl<M: Collector, F: Fn(&M) + Send + Sync> Collector for LookedAt<M, F> {
    fn desc(&self) -> Vec<&Desc> {
        self.metrics.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.look)(&self.metrics);
        self.metrics.collect()
    }
}
