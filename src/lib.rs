//! creditd: credit grants over gRPC on PostgreSQL.
pub mod domain;
pub mod limits;
pub mod store;
