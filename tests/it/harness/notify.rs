//! Calls of NotificationService, and requests for them.

use chrono::TimeDelta;
use creditd::pb;
use prost_types::FieldMask;
use tonic::Status;

use super::{Client, say};

type Tried<T> = Result<T, Status>;

/// An endpoint that hears of everything.
pub fn endpoint(url: &str) -> pb::CreateWebhookEndpointRequest {
    pb::CreateWebhookEndpointRequest { url: url.to_owned(), ..Default::default() }
}

/// One that hears of these types.
pub fn subscribed(url: &str, types: &[&str]) -> pb::CreateWebhookEndpointRequest {
    pb::CreateWebhookEndpointRequest { event_types: say::names(types), ..endpoint(url) }
}

/// A change of the fields that the mask names.
pub fn update(endpoint_id: &str, paths: &[&str]) -> pb::UpdateWebhookEndpointRequest {
    pb::UpdateWebhookEndpointRequest {
        endpoint_id: endpoint_id.to_owned(),
        update_mask: Some(FieldMask { paths: say::names(paths) }),
        ..Default::default()
    }
}

/// Warnings these many days before.
pub fn warnings(days: &[i64]) -> pb::UpdateNotificationSettingsRequest {
    pb::UpdateNotificationSettingsRequest {
        expiry_warnings: days.iter().filter_map(|n| say::duration(TimeDelta::days(*n))).collect(),
        update_mask: Some(FieldMask { paths: say::names(&["expiry_warnings"]) }),
        ..Default::default()
    }
}

/// A line on units that could pay for a metric, or on money, from which it recovers at once.
pub fn line(of: &str, amount: &str) -> pb::BalanceThreshold {
    let money = of.len() == 3 && of.chars().all(char::is_uppercase);
    let (currency, metric) = if money { (of, "") } else { ("", of) };
    pb::BalanceThreshold {
        currency: currency.to_owned(),
        metric: metric.to_owned(),
        amount: amount.to_owned(),
        recover_at: String::new(),
    }
}

/// These lines and no others.
pub fn thresholds(lines: &[pb::BalanceThreshold]) -> pb::UpdateNotificationSettingsRequest {
    pb::UpdateNotificationSettingsRequest {
        balance_thresholds: lines.to_vec(),
        update_mask: Some(FieldMask { paths: say::names(&["balance_thresholds"]) }),
        ..Default::default()
    }
}

impl Client {
    pub async fn try_create_endpoint(
        &self,
        request: pb::CreateWebhookEndpointRequest,
    ) -> Tried<pb::CreateWebhookEndpointResponse> {
        Ok(self.notifications.clone().create_webhook_endpoint(request).await?.into_inner())
    }

    pub async fn try_get_endpoint(&self, id: &str) -> Tried<pb::WebhookEndpoint> {
        let request = pb::GetWebhookEndpointRequest { endpoint_id: id.to_owned() };
        let answer = self.notifications.clone().get_webhook_endpoint(request).await?.into_inner();
        Ok(answer.endpoint.expect("an endpoint"))
    }

    pub async fn try_update_endpoint(
        &self,
        request: pb::UpdateWebhookEndpointRequest,
    ) -> Tried<pb::WebhookEndpoint> {
        let answer = self.notifications.clone().update_webhook_endpoint(request).await?;
        Ok(answer.into_inner().endpoint.expect("an endpoint"))
    }

    pub async fn try_delete_endpoint(&self, id: &str) -> Tried<()> {
        let request = pb::DeleteWebhookEndpointRequest { endpoint_id: id.to_owned() };
        self.notifications.clone().delete_webhook_endpoint(request).await.map(drop)
    }

    /// The endpoint, and its new secret.
    pub async fn try_rotate(&self, id: &str) -> Tried<(pb::WebhookEndpoint, String)> {
        let request = pb::RotateWebhookSecretRequest { endpoint_id: id.to_owned() };
        let answer = self.notifications.clone().rotate_webhook_secret(request).await?.into_inner();
        Ok((answer.endpoint.expect("an endpoint"), answer.secret))
    }

    pub async fn try_send_test(&self, id: &str) -> Tried<pb::Delivery> {
        let request = pb::SendTestNotificationRequest { endpoint_id: id.to_owned() };
        let answer = self.notifications.clone().send_test_notification(request).await?;
        Ok(answer.into_inner().delivery.expect("a delivery"))
    }

    pub async fn try_update_settings(
        &self,
        request: pb::UpdateNotificationSettingsRequest,
    ) -> Tried<pb::NotificationSettings> {
        let answer = self.notifications.clone().update_notification_settings(request).await?;
        Ok(answer.into_inner().settings.expect("settings"))
    }

    pub async fn try_list_deliveries(
        &self,
        request: pb::ListDeliveriesRequest,
    ) -> Tried<pb::ListDeliveriesResponse> {
        Ok(self.notifications.clone().list_deliveries(request).await?.into_inner())
    }

    pub async fn try_retry(&self, id: &str) -> Tried<pb::Delivery> {
        let request = pb::RetryDeliveryRequest { delivery_id: id.to_owned() };
        let answer = self.notifications.clone().retry_delivery(request).await?.into_inner();
        Ok(answer.delivery.expect("a delivery"))
    }

    /// Makes an endpoint, which must be new, and gives it and its secret.
    pub async fn create_endpoint(
        &self,
        request: pb::CreateWebhookEndpointRequest,
    ) -> (pb::WebhookEndpoint, String) {
        let made = self.try_create_endpoint(request).await.expect("an endpoint");
        assert!(!made.replayed, "{made:?}");
        (made.endpoint.expect("an endpoint"), made.secret)
    }

    pub async fn get_endpoint(&self, id: &str) -> pb::WebhookEndpoint {
        self.try_get_endpoint(id).await.expect("an endpoint")
    }

    /// All of them.
    pub async fn endpoints(&self) -> Vec<pb::WebhookEndpoint> {
        let request = pb::ListWebhookEndpointsRequest {};
        let answer = self.notifications.clone().list_webhook_endpoints(request).await;
        answer.expect("endpoints").into_inner().endpoints
    }

    pub async fn update_endpoint(
        &self,
        request: pb::UpdateWebhookEndpointRequest,
    ) -> pb::WebhookEndpoint {
        self.try_update_endpoint(request).await.expect("an endpoint")
    }

    /// Disables an endpoint, or enables it.
    pub async fn disable(&self, id: &str, disabled: bool) -> pb::WebhookEndpoint {
        let request = pb::UpdateWebhookEndpointRequest { disabled, ..update(id, &["disabled"]) };
        self.update_endpoint(request).await
    }

    pub async fn delete_endpoint(&self, id: &str) {
        self.try_delete_endpoint(id).await.expect("a deletion");
    }

    pub async fn settings(&self) -> pb::NotificationSettings {
        let request = pb::GetNotificationSettingsRequest {};
        let answer = self.notifications.clone().get_notification_settings(request).await;
        answer.expect("settings").into_inner().settings.expect("settings")
    }

    pub async fn update_settings(
        &self,
        request: pb::UpdateNotificationSettingsRequest,
    ) -> pb::NotificationSettings {
        self.try_update_settings(request).await.expect("settings")
    }

    /// All deliveries, up to a page of 1,000.
    pub async fn deliveries(&self) -> Vec<pb::Delivery> {
        let request = pb::ListDeliveriesRequest { page_size: 1_000, ..Default::default() };
        self.try_list_deliveries(request).await.expect("deliveries").deliveries
    }
}
