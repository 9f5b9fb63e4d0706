//! The database that commands work on: a configured one or the private server.

use super::Error;
use crate::config;
use crate::store::Address;
use crate::store::private::{self, PrivateServer};

/// The database that commands work on: a configured one, or the private server, which lives as
/// long as this.
pub struct Database {
    /// Where it is.
    pub address: Address,
    /// Its URL; holds a password.
    pub url: String,
    /// The server, if it is ours.
    pub private: Option<PrivateServer>,
}

impl Database {
    /// The configured database, or a private server that is started for it.
    ///
    /// # Errors
    /// Where neither can be had.
    pub async fn open(config: &config::Database) -> Result<Self, Error> {
        if let Some(url) = &config.database_url {
            return Ok(Self {
                address: Address::parse(&url.0)?,
                url: url.0.clone(),
                private: None,
            });
        }
        let server = PrivateServer::start(&options(config)).await?;
        let url = server.url().to_owned();
        Ok(Self { address: Address::parse(&url)?, url, private: Some(server) })
    }

    /// The same, but of a private server that another creditd runs already, if one does: for
    /// commands that look in from beside it.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn join(config: &config::Database) -> Result<Self, Error> {
        if config.database_url.is_none()
            && let Some(url) = PrivateServer::attach(&options(config).data_dir).await?
        {
            return Ok(Self { address: Address::parse(&url)?, url, private: None });
        }
        Self::open(config).await
    }

    /// Stops the private server, if there is one.
    pub async fn close(self) {
        if let Some(server) = self.private {
            server.stop().await;
        }
    }
}

fn options(config: &config::Database) -> private::Options {
    let data_dir = config.data_dir.clone().unwrap_or_else(private::default_data_dir);
    private::Options { fetch: !config.no_fetch, ..private::Options::new(data_dir) }
}
