//! Tests that speak the protocol: the real generated client over real TCP to a real server on a
//! real PostgreSQL. Each has a database of its own, and ends with an audit of the books.

mod harness;

mod private_postgres;
mod rules;
mod tour;
