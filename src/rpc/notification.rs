//! NotificationService.

use tonic::{Request, Response, Status};

use super::Services;
use crate::pb;
use crate::pb::notification_service_server::NotificationService;

#[tonic::async_trait]
impl NotificationService for Services {
    async fn create_webhook_endpoint(
        &self,
        _: Request<pb::CreateWebhookEndpointRequest>,
    ) -> Result<Response<pb::CreateWebhookEndpointResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn get_webhook_endpoint(
        &self,
        _: Request<pb::GetWebhookEndpointRequest>,
    ) -> Result<Response<pb::GetWebhookEndpointResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn list_webhook_endpoints(
        &self,
        _: Request<pb::ListWebhookEndpointsRequest>,
    ) -> Result<Response<pb::ListWebhookEndpointsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn update_webhook_endpoint(
        &self,
        _: Request<pb::UpdateWebhookEndpointRequest>,
    ) -> Result<Response<pb::UpdateWebhookEndpointResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn delete_webhook_endpoint(
        &self,
        _: Request<pb::DeleteWebhookEndpointRequest>,
    ) -> Result<Response<pb::DeleteWebhookEndpointResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn rotate_webhook_secret(
        &self,
        _: Request<pb::RotateWebhookSecretRequest>,
    ) -> Result<Response<pb::RotateWebhookSecretResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn send_test_notification(
        &self,
        _: Request<pb::SendTestNotificationRequest>,
    ) -> Result<Response<pb::SendTestNotificationResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn get_notification_settings(
        &self,
        _: Request<pb::GetNotificationSettingsRequest>,
    ) -> Result<Response<pb::GetNotificationSettingsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn update_notification_settings(
        &self,
        _: Request<pb::UpdateNotificationSettingsRequest>,
    ) -> Result<Response<pb::UpdateNotificationSettingsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn list_deliveries(
        &self,
        _: Request<pb::ListDeliveriesRequest>,
    ) -> Result<Response<pb::ListDeliveriesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn retry_delivery(
        &self,
        _: Request<pb::RetryDeliveryRequest>,
    ) -> Result<Response<pb::RetryDeliveryResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
}
