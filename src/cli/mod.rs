//! FLOOR 4: client commands, over the generated client.

use tonic::transport::{self, Channel};

use crate::limits;

pub mod demo;
pub mod error;

pub use self::error::Error;

/// Where creditd answers.
#[derive(clap::Args, Clone, Debug)]
pub struct Endpoint {
    /// Where creditd answers.
    #[arg(
        long,
        env = "CREDITD_ENDPOINT",
        default_value = "http://127.0.0.1:50051",
        value_name = "URL"
    )]
    endpoint: String,
}

/// Why a client command has no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is not a URL.
    #[error("--endpoint {0:?} is not a URL such as http://127.0.0.1:50051")]
    NotAUrl(String),
    /// Nothing listens there.
    #[error("nothing answers at {0}: start creditd with `make run`")]
    Silent(String, #[source] transport::Error),
}

impl Endpoint {
    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.endpoint
    }

    /// Connects, or says in one line why that is not possible.
    ///
    /// # Errors
    /// [`ConnectError`] if the URL is malformed or nothing listens there.
    pub async fn connect(&self) -> Result<Channel, ConnectError> {
        transport::Endpoint::from_shared(self.endpoint.clone())
            .map_err(|_| ConnectError::NotAUrl(self.endpoint.clone()))?
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .connect()
            .await
            .map_err(|error| ConnectError::Silent(self.endpoint.clone(), error))
    }
}
