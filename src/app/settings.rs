//! What the configuration comes to.

use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::domain::identity::CertificateRule;
use crate::domain::time::{Windows, to_micros};
use crate::domain::url_policy::UrlPolicy;
use crate::engine::Sizes;
use crate::rpc::{Identity, KeyRing, door};
use crate::store::{self, Address, Clock, Store, TestClock};
use crate::tasks::delivery;
use crate::watch;

/// What of the configuration the service itself needs, besides a database and a listener.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Where `now` comes from.
    pub clock: Clock,
    /// The rules' windows.
    pub windows: Windows,
    /// Whether to book in the background what falls due.
    pub sweeper: bool,
    /// How the engine is sized.
    pub sizes: Sizes,
    /// Connections that reads share.
    pub readers: usize,
    /// How many may watch.
    pub watch: watch::Limits,
    /// Where webhooks may go, and how.
    pub webhooks: delivery::Settings,
    /// Whether this replica delivers them.
    pub delivers: bool,
    /// The roles of client certificates, where callers must say who they are; None where they need
    /// not.
    pub identity: Option<Vec<CertificateRule>>,
    /// Whether to serve reflection.
    pub reflection: bool,
    /// Whether to bring the schema up to date, or wait until somebody has.
    pub migrate: bool,
    /// How long the end may take.
    pub grace: Duration,
}

fn count(many: u32) -> usize {
    usize::try_from(many).unwrap_or(usize::MAX)
}

impl Settings {
    /// The store on this database.
    pub(super) fn store(&self, address: Address) -> store::Result<Store> {
        Store::new(address, self.readers, self.clock.clone(), self.windows)
    }

    /// Who may call, by the keys of this store, which have not been read, and by certificates; None
    /// where everybody may.
    pub(super) fn identity(&self, store: &Store) -> Option<Arc<Identity>> {
        let rules = self.identity.clone()?;
        let keys = Arc::new(KeyRing::new(store.clone()));
        Some(Arc::new(Identity { keys, rules }))
    }
}

impl From<&config::Serve> for Settings {
    fn from(config: &config::Serve) -> Self {
        let required = config.identity.required(config.listen);
        Self {
            clock: match config.test_clock {
                Some(at) => Clock::Test(TestClock::new(to_micros(at))),
                None => Clock::Database,
            },
            windows: config.rules.windows(),
            sweeper: !config.no_sweeper,
            sizes: Sizes {
                lanes: config.sizing.lanes,
                batch_commands: config.sizing.batch,
                queue: config.sizing.queue,
            },
            readers: usize::from(config.sizing.readers),
            watch: watch::Limits {
                watchers: count(config.sizing.watchers),
                watched_customers: count(config.sizing.watched_customers),
            },
            webhooks: delivery::Settings {
                policy: UrlPolicy {
                    allow_http: config.webhooks.webhook_allow_http,
                    allow_private: config.webhooks.webhook_allow_private,
                },
                timeout: config.webhooks.webhook_timeout,
            },
            delivers: !config.webhooks.no_webhooks,
            identity: required.then(|| config.identity.client_roles.clone()),
            reflection: !config.identity.no_reflection,
            migrate: config.life.migrate,
            grace: config.life.grace,
        }
    }
}

impl From<&config::Serve> for door::Settings {
    fn from(config: &config::Serve) -> Self {
        let tls = config.tls.tls_cert.clone().zip(config.tls.tls_key.clone());
        Self {
            connections: count(config.sizing.connections),
            connections_per_address: config.sizing.connections_per_address.map(count),
            tls: tls.map(|(certificate, key)| door::Files {
                certificate,
                key,
                client_ca: config.tls.tls_client_ca.clone(),
            }),
            patience: door::Patience::default(),
        }
    }
}
