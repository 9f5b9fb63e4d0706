//! The servers that an address names, of which one can be written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel_async::AsyncPgConnection;
use rand::seq::SliceRandom as _;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use super::error::{Error, Result};
use super::tls::{self, Tls};
use crate::limits;

/// Servers, asked one after another. The driver would do that, too, but has no bound for one that
/// takes connections and then says nothing: those behind it would never be asked.
#[derive(Clone)]
pub(super) struct Servers {
    each: Arc<[Config]>,
    /// Whom to ask first: who answered last.
    first: Arc<AtomicUsize>,
    tls: Arc<Tls>,
}

impl Servers {
    pub(super) fn new(config: &Config, tls: Tls) -> Self {
        let named = config.get_hosts().len().max(config.get_hostaddrs().len());
        let mut each: Vec<_> = (0..named).map(|number| alone(config, number)).collect();
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            each.shuffle(&mut rand::rng());
        }
        Self { each: each.into(), first: Arc::default(), tls: Arc::new(tls) }
    }

    /// The same, whichever of them may be written to.
    pub(super) fn for_reading(&self) -> Self {
        let mut each = self.each.to_vec();
        for server in &mut each {
            server.target_session_attrs(TargetSessionAttrs::Any);
        }
        Self { each: each.into(), first: Arc::default(), tls: Arc::clone(&self.tls) }
    }

    pub(super) fn each(&self) -> &[Config] {
        &self.each
    }

    /// A session that may write, unless they are [for reading](Self::for_reading), with these options before those given.
    pub(super) async fn connect(&self, options: &str) -> Result<AsyncPgConnection> {
        let first = self.first.load(Ordering::Relaxed);
        let mut failed = Vec::new();
        for number in (first..).take(self.each.len()) {
            let number = number % self.each.len();
            // Should the caller lose patience with this one, the next call begins behind it.
            self.first.store(number + 1, Ordering::Relaxed);
            match self.ask(&self.each[number], options).await {
                Ok(conn) => {
                    self.first.store(number, Ordering::Relaxed);
                    return Ok(conn);
                }
                Err(error) => failed.push(error),
            }
        }
        Err(all_of(failed))
    }

    async fn ask(&self, server: &Config, options: &str) -> Result<AsyncPgConnection> {
        let mut config = server.clone();
        let given = server.get_options().unwrap_or_default();
        // Poolers may refuse any; so none is sent that says nothing.
        if !options.is_empty() {
            config.options(format!("{options} {given}"));
        }
        let patience = server.get_connect_timeout().copied().unwrap_or(limits::CONNECT_TIMEOUT);
        // Boxed, because a handshake is large, and rare in the futures that may come to it.
        let asked = timeout(patience, Box::pin(self.try_ways(config))).await;
        asked.unwrap_or_else(|_| Err(Error::Away("it does not answer".into())))
    }

    async fn try_ways(&self, mut config: Config) -> Result<AsyncPgConnection> {
        let connector = self.tls.connector()?;
        // TLS is nothing to a socket of this machine.
        let is_socket = matches!(config.get_hosts(), [Host::Unix(_)]);
        let ways = if is_socket { &[SslMode::Disable] } else { self.tls.ways() };
        let mut refused = Vec::new();
        for way in ways {
            match config.ssl_mode(*way).connect(connector.clone()).await {
                Ok((client, connection)) => {
                    let made =
                        AsyncPgConnection::try_from_client_and_connection(client, connection);
                    return Ok(made.await?);
                }
                Err(error) if tls::is_refused(&error) => refused.push(error.into()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(all_of(refused))
    }
}

/// Why none of them would have us. What some might mend by waiting is waited for.
fn all_of(mut failed: Vec<Error>) -> Error {
    if failed.len() == 1
        && let Some(only) = failed.pop()
    {
        return only;
    }
    let is_away = failed.iter().any(|error| matches!(error, Error::Away(_)));
    let words = failed.into_iter().map(|error| match error {
        Error::Away(words) | Error::Other(words) | Error::Unusable(words) => words,
        error => error.to_string(),
    });
    let words = words.collect::<Vec<_>>().join("; ");
    if is_away { Error::Away(words) } else { Error::Other(words) }
}

/// The settings for one server of several; the driver has no way to take a host out. Only a session
/// that may write is of use, wherever the others are meant for.
fn alone(config: &Config, number: usize) -> Config {
    let mut one = Config::new();
    let address = config.get_hostaddrs().get(number);
    match (config.get_hosts().get(number), address) {
        (Some(Host::Tcp(host)), _) => one.host(host),
        (Some(Host::Unix(path)), _) => one.host_path(path),
        // What a certificate is then compared with.
        (None, Some(address)) => one.host(address.to_string()),
        (None, None) => &mut one,
    };
    address.map(|address| one.hostaddr(*address));
    let port = config.get_ports().get(number).or(config.get_ports().first());
    port.map(|port| one.port(*port));
    config.get_user().map(|user| one.user(user));
    config.get_password().map(|password| one.password(password));
    config.get_dbname().map(|name| one.dbname(name));
    config.get_options().map(|options| one.options(options));
    one.application_name(config.get_application_name().unwrap_or("creditd"))
        .connect_timeout(config.get_connect_timeout().copied().unwrap_or(limits::CONNECT_TIMEOUT))
        .tcp_user_timeout(
            config.get_tcp_user_timeout().copied().unwrap_or(limits::TCP_USER_TIMEOUT),
        )
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    config.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    one
}
