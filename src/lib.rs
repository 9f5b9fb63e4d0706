//! creditd: credit grants over gRPC on PostgreSQL.
//!
//! The folders are floors; a floor knows only those below it (docs/ARCHITECTURE.md, guarded by
//! tests/architecture.rs):
//!
//! | floor | module | what |
//! |---|---|---|
//! | 0 | [`domain`] | the rules, pure |
//! | 1 | [`store`] | PostgreSQL |
//! | 2 | [`engine`] | the one write path |
//! | 3 | [`watch`] | who watches whom |
//! | 4 | [`rpc`], [`tasks`], [`cli`] | the wire, the background, the command line |
//! | top | [`app`] | wiring: the only place that knows everyone |
//!
//! [`limits`] holds every cap, [`config`] every setting, [`metrics`] what is counted, [`spans`] what
//! traces show, [`pb`] what is generated from proto/.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod limits;
pub mod metrics;
pub mod rpc;
pub mod spans;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod watch;

/// The wire contract, generated from proto/credits/v1.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    reason = "generated code keeps its own style"
)]
pub mod pb {
    tonic::include_proto!("credits.v1");

    /// What the reflection service serves.
    pub const FILE_DESCRIPTOR_SET: &[u8] =
        tonic::include_file_descriptor_set!("credits_descriptor");
}
