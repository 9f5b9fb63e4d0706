//! The database that commands work on: a configured one or the private server.

use std::path::Path;

use super::Error;
use crate::config;
use crate::store::Address;
use crate::store::private::{self, PrivateServer};

/// The database that commands work on: a configured one, or the private server, which lives as
/// long as this.
pub struct Database {
    /// Where it is.
    pub address: Address,
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
            return Ok(Self { address: Address::parse(&url.0)?, private: None });
        }
        let server = PrivateServer::start(&options(config)).await?;
        let address = Address::parse(server.url())?;
        Ok(Self { address, private: Some(server) })
    }

    /// The same, but of a private server that another creditd runs already, if one does: for
    /// commands that look in from beside it.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn join(config: &config::Database) -> Result<Self, Error> {
        match Self::running(config).await? {
            Some(database) => Ok(database),
            None if has_cluster(&options(config).data_dir) => Self::open(config).await,
            None => Err(Error::NothingThere(options(config).data_dir)),
        }
    }

    /// The configured database, or the private server, which another creditd may run already; one
    /// that was never there is made.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn at_hand(config: &config::Database) -> Result<Self, Error> {
        match Self::running(config).await? {
            Some(database) => Ok(database),
            None => Self::open(config).await,
        }
    }

    /// The configured database, or the private server that another creditd runs; None where
    /// neither is there.
    ///
    /// # Errors
    /// Where what is there cannot be had.
    pub async fn running(config: &config::Database) -> Result<Option<Self>, Error> {
        if config.database_url.is_some() {
            return Self::open(config).await.map(Some);
        }
        let attached = PrivateServer::attach(&options(config).data_dir).await?;
        let there = |url: String| Ok(Self { address: Address::parse(&url)?, private: None });
        attached.map(there).transpose()
    }

    /// Stops the private server, if there is one.
    pub async fn close(self) {
        if let Some(server) = self.private {
            server.stop().await;
        }
    }
}

/// Whether a private server has kept data here.
fn has_cluster(data_dir: &Path) -> bool {
    let entries = std::fs::read_dir(data_dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("pg"))
}

fn options(config: &config::Database) -> private::Options {
    let data_dir = config.data_dir.clone().unwrap_or_else(private::default_data_dir);
    private::Options { fetch: !config.no_fetch, ..private::Options::new(data_dir) }
}
