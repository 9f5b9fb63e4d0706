//! Tests that speak the protocol: the real generated client over real TCP to a real server on a
//! real PostgreSQL. Each has a database of its own, and ends with an audit of the books.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may say at once that something is not so"
)]

mod harness;

mod private_postgres;
mod rules;
mod tour;
