//! Tests that speak the protocol: the real generated client over real TCP to a real server on a
//! real PostgreSQL. Each has a database of its own, and ends with an audit of the books.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    reason = "a test may say at once that something is not so"
)]

mod harness;

mod audit;
mod balance;
mod batches;
mod campaigns;
mod cli;
mod clients;
mod crash;
mod customers;
mod database_tls;
mod door;
mod export;
mod failover;
mod fields;
mod fire;
mod grants;
mod holds;
mod identity;
mod import;
mod invoices;
mod life;
mod limits;
mod lists;
mod luck;
mod migrations;
mod notifications;
mod past;
mod private_postgres;
mod replicas;
mod retries;
mod rules;
mod service;
mod stream;
mod telemetry;
mod tour;
mod usage;
mod void;
mod watch;
mod webhooks;
