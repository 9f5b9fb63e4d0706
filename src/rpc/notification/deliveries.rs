//! Deliveries, and what makes one by hand.

use tonic::Status;

use super::super::fields::Fields;
use super::super::filter::too_many;
use super::super::page::Page;
use super::super::{Services, status};
use super::convert;
use super::endpoints::endpoint_id;
use crate::domain::ids::{Customer, DeliveryId, EndpointId};
use crate::domain::notification::EventType;
use crate::pb;
use crate::store::{DeliveryFilter, DeliveryStatus, NotSent};

impl Services {
    pub(super) async fn deliveries(
        &self,
        mut request: pb::ListDeliveriesRequest,
    ) -> Result<pb::ListDeliveriesResponse, Status> {
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, after) = Page::read("deliveries", &mut fields, &request, size, &token);
        let filter = filter(&mut fields, &request);
        fields.check()?;
        if let Some(id) = filter.endpoint_id {
            let (endpoints, _) = self.store.endpoints().await.map_err(status::of_store)?;
            if !endpoints.iter().any(|endpoint| endpoint.id == id) {
                return Err(status::no_endpoint(id));
            }
        }
        let listed = self.store.list_deliveries(&filter, after, page.ask()).await;
        let shown = listed.map_err(status::of_store)?.into_iter();
        let shown = shown.map(|of| ((of.created_at, of.id.0), convert::delivery(of)));
        let (deliveries, next_page_token) = page.cut(shown);
        Ok(pb::ListDeliveriesResponse { deliveries, next_page_token })
    }

    pub(super) async fn retry(
        &self,
        request: &pb::RetryDeliveryRequest,
    ) -> Result<pb::RetryDeliveryResponse, Status> {
        let mut fields = Fields::default();
        let id = fields.take("delivery_id", DeliveryId::parse(&request.delivery_id));
        let Some(id) = id else { return Err(fields.refuse()) };
        let retried = self.store.retry_delivery(id).await.map_err(status::of_store)?;
        let delivery = retried.map_err(|not| match not {
            NotSent::NotFound => status::no_delivery(id),
            NotSent::Disabled => status::endpoint_disabled(),
        })?;
        self.engine.outbox().notify_one();
        Ok(pb::RetryDeliveryResponse { delivery: Some(convert::delivery(delivery)) })
    }

    pub(super) async fn send_test(
        &self,
        request: &pb::SendTestNotificationRequest,
    ) -> Result<pb::SendTestNotificationResponse, Status> {
        let id = endpoint_id(&request.endpoint_id)?;
        let sent = self.store.send_test(id).await.map_err(status::of_store)?;
        let delivery = sent.map_err(|not| match not {
            NotSent::NotFound => status::no_endpoint(id),
            NotSent::Disabled => status::endpoint_disabled(),
        })?;
        self.engine.outbox().notify_one();
        Ok(pb::SendTestNotificationResponse { delivery: Some(convert::delivery(delivery)) })
    }
}

fn filter(fields: &mut Fields, request: &pb::ListDeliveriesRequest) -> DeliveryFilter {
    let customer = &request.customer_id;
    DeliveryFilter {
        endpoint_id: fields.take_optional("endpoint_id", &request.endpoint_id, EndpointId::parse),
        statuses: statuses(fields, &request.statuses),
        event_type: fields.take_optional("event_type", &request.event_type, event_type),
        customer: fields.take_optional("customer_id", customer, Customer::parse),
    }
}

/// Any type that is sent.
fn event_type(name: &str) -> Result<EventType, &'static str> {
    let test = EventType::NotificationTest;
    let known = EventType::subscribable(name).or((name == test.name()).then_some(test));
    known.ok_or("must be a type such as \"grant.expired\"")
}

fn statuses(fields: &mut Fields, numbers: &[i32]) -> Vec<DeliveryStatus> {
    let mut statuses = Vec::new();
    if too_many(fields, "statuses", numbers.len()) {
        return statuses;
    }
    for (index, number) in numbers.iter().enumerate() {
        let mut known = DeliveryStatus::ALL.into_iter();
        let status = known.find(|status| i32::from(convert::delivery_status(*status)) == *number);
        let field = format!("statuses[{index}]");
        statuses.extend(fields.take(&field, status.ok_or("must be a known status")));
    }
    statuses
}
