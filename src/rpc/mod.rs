//! FLOOR 4: the wire. tonic and prost live here; what comes in is parsed at the door, and what
//! goes out is converted last.

mod answers;
mod balance;
mod calls;
mod campaign;
mod convert;
mod credit;
mod customer;
mod deadline;
pub mod door;
mod due;
mod export;
mod fields;
mod filter;
mod gate;
mod health;
mod hold;
mod identity;
mod import;
mod invoice;
mod notification;
mod page;
mod panic;
mod parse;
mod status;
mod stream;
mod summary;
mod test_clock;
mod usage;
mod usage_stream;
mod void;
mod watch;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
pub use tonic::service::Routes;
use tonic::service::RoutesBuilder;

pub use self::calls::Calls;
pub use self::gate::Gate;
pub use self::health::Health;
pub use self::identity::{Identity, IdentityLayer, KeyRing};
pub use self::panic::{Answer, PanicLayer};
use crate::domain::entry::ACTOR_ANONYMOUS;
use crate::domain::url_policy::UrlPolicy;
use crate::engine::Engine;
use crate::limits;
use crate::pb;
use crate::pb::campaign_service_server::CampaignServiceServer;
use crate::pb::credit_service_server::CreditServiceServer;
use crate::pb::customer_service_server::CustomerServiceServer;
use crate::pb::notification_service_server::NotificationServiceServer;
use crate::pb::test_clock_service_server::TestClockServiceServer;
use crate::pb::usage_service_server::UsageServiceServer;
use crate::store::{Clock, Store};
use crate::watch::Hub;

/// What the services work with.
#[derive(Clone)]
pub struct Services {
    store: Store,
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    /// Wakes who carries out campaigns.
    campaigns: Arc<Notify>,
    closing: CancellationToken,
    webhooks: UrlPolicy,
    /// Who is served: nobody in particular, until [`Services::on_behalf_of`] says who.
    actor: Arc<str>,
}

impl Services {
    /// Services on this store, engine and hub. `campaigns` is notified of runs to carry out; webhooks
    /// go where the policy allows. When `closing` is cancelled, streams take nothing new.
    #[must_use]
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        hub: Arc<Hub>,
        campaigns: Arc<Notify>,
        closing: CancellationToken,
        webhooks: UrlPolicy,
    ) -> Self {
        let actor = ACTOR_ANONYMOUS.into();
        Self { store, engine, hub, campaigns, closing, webhooks, actor }
    }

    /// The same, for who sent this request.
    fn on_behalf_of<T>(&self, request: &tonic::Request<T>) -> Self {
        Self { actor: identity::actor(request), ..self.clone() }
    }

    /// All services, with health; and reflection (v1 and v1alpha), if it is wanted.
    ///
    /// # Errors
    /// Where the embedded descriptors do not decode.
    pub fn routes(
        &self,
        health: &Health,
        reflection: bool,
    ) -> Result<Routes, tonic_reflection::server::Error> {
        let mut routes = RoutesBuilder::default();
        routes.add_service(
            CreditServiceServer::new(self.clone())
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
        );
        routes.add_service(
            UsageServiceServer::new(self.clone())
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
        );
        routes.add_service(
            CustomerServiceServer::new(self.clone())
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
        );
        routes.add_service(
            CampaignServiceServer::new(self.clone())
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
        );
        routes.add_service(
            NotificationServiceServer::new(self.clone())
                .accept_compressed(Gzip)
                .send_compressed(Gzip)
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
        );
        if let Clock::Test(clock) = self.store.clock() {
            let service = test_clock::TestClock::new(self.clone(), clock.clone());
            routes.add_service(
                TestClockServiceServer::new(service).accept_compressed(Gzip).send_compressed(Gzip),
            );
        }
        routes.add_service(health.service());
        if reflection {
            reflect(&mut routes, health)?;
        }
        Ok(routes.routes())
    }
}

/// Adds reflection, in both versions that tools speak.
fn reflect(
    routes: &mut RoutesBuilder,
    health: &Health,
) -> Result<(), tonic_reflection::server::Error> {
    // Only what is served is listed; the error details are there so that grpcurl can print them.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.reflection.v1.ServerReflection")
            .with_service_name("grpc.reflection.v1alpha.ServerReflection")
            .with_service_name("grpc.health.v1.Health");
        let names = health.names().iter().filter(|name| !name.is_empty());
        names.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let v1 = reflection().build_v1()?;
    routes.add_service(v1.accept_compressed(Gzip).send_compressed(Gzip));
    let v1alpha = reflection().build_v1alpha()?;
    routes.add_service(v1alpha.accept_compressed(Gzip).send_compressed(Gzip));
    Ok(())
}
