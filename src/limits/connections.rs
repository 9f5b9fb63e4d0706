//! Connections: who comes in, and what each may take.

use std::time::Duration;

/// Connections at once, unless configured: some 50 KB each while idle, and a file of the process.
pub const CONNECTIONS_DEFAULT: u32 = 10_000;
/// Pause after a connection that could not be accepted: short of files, say, the next would fail
/// as well.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may take until TLS stands and its client has said that it speaks HTTP/2: a
/// few round trips; who only dribbles bytes would keep its place for ever.
pub const CONNECTION_BEGIN: Duration = Duration::from_secs(10);
/// How often a client's connection is asked for a sign of life: without it the place of a watcher
/// that vanished without a word would never be free.
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
/// How long the answer to that may take, and any other write: a client that is well answers in a
/// round trip, one that is stopped or dribbles is cut off.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How old a connection gets, and up to a tenth more: then its client is told to make another,
/// while its calls and streams go on. So balancing clients find new replicas soon after they are there.
pub const CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);
/// How long a call may take until its answer begins, unless its caller says less: far longer than
/// any takes; a request that dribbles in would be waited for for ever.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(120);
/// Calls and streams on one connection at once: beyond it clients wait without a word, so it is as
/// many as the commands that a lane lets wait, and still bounds what one connection may claim.
pub const CONNECTION_STREAMS_MAX: u32 = 4_096;
/// Bytes of a request's headers: a key, trace context and a proxy's additions take some 2 KB.
pub const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Calls that a client has taken back before they were looked at, on one connection: none but an
/// attacker has more.
pub const PENDING_RESETS_MAX: usize = 20;
/// Calls on one connection that were taken back because of its client's faults: a client with so
/// many has no good intentions.
pub const ERROR_RESETS_MAX: usize = 1_024;
/// How often the TLS files are looked at: certificates are renewed days before they end.
pub const TLS_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Calls at once of those who need not say who they are, or have sent a key that is not known, over
/// all connections: each holds its headers and a frame or two. Health is asked by a few probes, and a
/// new key is known in moments; beyond it callers are told OVERLOADED.
pub const STRANGERS_MAX: usize = 1_000;
/// Bytes of a question after health: it names a service; more would wait in memory for its end.
pub const HEALTH_BYTES_MAX: usize = 1_024;
/// Streams on one connection to the health port: probes come one by one, and a few watch.
pub const HEALTH_STREAMS: u32 = 16;
/// Connections to the health port at once: a kubelet opens one for each probe, and closes it.
pub const HEALTH_CONNECTIONS: usize = 64;
/// How many of them may come from one address: whoever keeps all they may get keeps no kubelet out.
pub const HEALTH_CONNECTIONS_PER_ADDRESS: usize = 16;
/// How old a connection to the health port gets, and up to a tenth more, with all that is open on it:
/// a probe takes moments, and who keeps its place keeps it from others.
pub const HEALTH_CONNECTION_AGE: Duration = Duration::from_secs(60);
/// Connections to the metrics port at once: a few Prometheus, each with one for each scrape. Others
/// wait until they are accepted.
pub const METRICS_CONNECTIONS: usize = 16;
/// How long one of them may take, from its beginning to the answer's end: half of what Prometheus
/// waits for.
pub const METRICS_TIME: Duration = Duration::from_secs(5);
