//! NotificationService: endpoints, settings, deliveries.

mod convert;
mod deliveries;
mod endpoints;
mod settings;

use tonic::{Request, Response, Status};

use super::Services;
use crate::pb;
use crate::pb::notification_service_server::NotificationService;
use crate::store::{Changed, Clock};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl NotificationService for Services {
    async fn create_webhook_endpoint(
        &self,
        request: Request<pb::CreateWebhookEndpointRequest>,
    ) -> Answer<pb::CreateWebhookEndpointResponse> {
        self.create_endpoint(request.into_inner()).await.map(Response::new)
    }

    async fn get_webhook_endpoint(
        &self,
        request: Request<pb::GetWebhookEndpointRequest>,
    ) -> Answer<pb::GetWebhookEndpointResponse> {
        self.endpoint(request.get_ref()).await.map(Response::new)
    }

    async fn list_webhook_endpoints(
        &self,
        _: Request<pb::ListWebhookEndpointsRequest>,
    ) -> Answer<pb::ListWebhookEndpointsResponse> {
        self.endpoints().await.map(Response::new)
    }

    async fn update_webhook_endpoint(
        &self,
        request: Request<pb::UpdateWebhookEndpointRequest>,
    ) -> Answer<pb::UpdateWebhookEndpointResponse> {
        self.update_endpoint(request.into_inner()).await.map(Response::new)
    }

    async fn delete_webhook_endpoint(
        &self,
        request: Request<pb::DeleteWebhookEndpointRequest>,
    ) -> Answer<pb::DeleteWebhookEndpointResponse> {
        self.delete_endpoint(request.get_ref()).await.map(Response::new)
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<pb::RotateWebhookSecretRequest>,
    ) -> Answer<pb::RotateWebhookSecretResponse> {
        self.rotate_secret(request.get_ref()).await.map(Response::new)
    }

    async fn send_test_notification(
        &self,
        request: Request<pb::SendTestNotificationRequest>,
    ) -> Answer<pb::SendTestNotificationResponse> {
        self.send_test(request.get_ref()).await.map(Response::new)
    }

    async fn get_notification_settings(
        &self,
        _: Request<pb::GetNotificationSettingsRequest>,
    ) -> Answer<pb::GetNotificationSettingsResponse> {
        self.settings().await.map(Response::new)
    }

    async fn update_notification_settings(
        &self,
        request: Request<pb::UpdateNotificationSettingsRequest>,
    ) -> Answer<pb::UpdateNotificationSettingsResponse> {
        self.update_settings(request.get_ref()).await.map(Response::new)
    }

    async fn list_deliveries(
        &self,
        request: Request<pb::ListDeliveriesRequest>,
    ) -> Answer<pb::ListDeliveriesResponse> {
        self.deliveries(request.into_inner()).await.map(Response::new)
    }

    async fn retry_delivery(
        &self,
        request: Request<pb::RetryDeliveryRequest>,
    ) -> Answer<pb::RetryDeliveryResponse> {
        self.retry(request.get_ref()).await.map(Response::new)
    }
}

impl Services {
    /// Sees to it that grants are looked at anew where a change asks for that: at once under a test
    /// clock, whose sweeper only runs when it moves.
    async fn followed<T>(&self, changed: Changed<T>) -> Result<Changed<T>, Status> {
        match self.store.clock() {
            Clock::Test(_) if changed.renews => self.book_all_due().await?,
            Clock::Database if changed.renews => self.engine.due_hint().wake(),
            _ => {}
        }
        Ok(changed)
    }
}
