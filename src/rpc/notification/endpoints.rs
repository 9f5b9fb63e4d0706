//! Webhook endpoints.

use std::collections::BTreeSet;

use tonic::Status;

use super::super::fields::Fields;
use super::super::filter::too_many;
use super::super::{Services, status};
use super::convert;
use crate::domain::ids::{EndpointId, RequestId};
use crate::domain::notification::EventType;
use crate::domain::webhook::{CreateEndpoint, Secret, UpdateEndpoint};
use crate::{limits, pb};

impl Services {
    pub(super) async fn create_endpoint(
        &self,
        request: pb::CreateWebhookEndpointRequest,
    ) -> Result<pb::CreateWebhookEndpointResponse, Status> {
        let mut fields = Fields::default();
        fields.take("url", self.webhooks.read(&request.url));
        let event_types = event_types(&mut fields, &request.event_types);
        fields.text("description", &request.description, limits::DESCRIPTION_CHARS_MAX);
        let request_id = fields.take_optional("request_id", &request.request_id, RequestId::parse);
        fields.check()?;
        let create = CreateEndpoint {
            request_id,
            url: request.url,
            event_types,
            description: request.description,
            secret: fresh_secret()?,
        };
        let created = self.store.create_endpoint(create).await.map_err(status::of_not_changed)?;
        let created = self.followed(created).await?;
        let secret = created.what.secret.map(|secret| secret.reveal().to_owned());
        Ok(pb::CreateWebhookEndpointResponse {
            endpoint: Some(convert::endpoint(created.what.endpoint, created.at)),
            secret: secret.unwrap_or_default(),
            replayed: created.what.replayed,
        })
    }

    pub(super) async fn endpoint(
        &self,
        request: &pb::GetWebhookEndpointRequest,
    ) -> Result<pb::GetWebhookEndpointResponse, Status> {
        let id = endpoint_id(&request.endpoint_id)?;
        let (endpoints, now) = self.store.endpoints().await.map_err(status::of_store)?;
        let found = endpoints.into_iter().find(|endpoint| endpoint.id == id);
        let found = found.ok_or_else(|| status::no_endpoint(id))?;
        let endpoint = Some(convert::endpoint(found, now));
        Ok(pb::GetWebhookEndpointResponse { endpoint })
    }

    pub(super) async fn endpoints(&self) -> Result<pb::ListWebhookEndpointsResponse, Status> {
        let (endpoints, now) = self.store.endpoints().await.map_err(status::of_store)?;
        let shown = endpoints.into_iter().map(|endpoint| convert::endpoint(endpoint, now));
        Ok(pb::ListWebhookEndpointsResponse { endpoints: shown.collect() })
    }

    pub(super) async fn update_endpoint(
        &self,
        request: pb::UpdateWebhookEndpointRequest,
    ) -> Result<pb::UpdateWebhookEndpointResponse, Status> {
        let mut fields = Fields::default();
        let id = fields.take("endpoint_id", EndpointId::parse(&request.endpoint_id));
        let update = self.update_of(&mut fields, request);
        let Some(id) = id else { return Err(fields.refuse()) };
        fields.check()?;
        let updated = self.store.update_endpoint(id, update).await;
        let updated = self.followed(updated.map_err(status::of_not_changed)?).await?;
        // What waited for it may be due.
        self.engine.outbox().notify_one();
        let endpoint = Some(convert::endpoint(updated.what, updated.at));
        Ok(pb::UpdateWebhookEndpointResponse { endpoint })
    }

    /// What the mask names.
    fn update_of(
        &self,
        fields: &mut Fields,
        request: pb::UpdateWebhookEndpointRequest,
    ) -> UpdateEndpoint {
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        if paths.is_empty() {
            fields.fault("update_mask", "is required");
        }
        let mut update = UpdateEndpoint::default();
        for path in &paths {
            match path.as_str() {
                "url" => {
                    fields.take("url", self.webhooks.read(&request.url));
                    update.url = Some(request.url.clone());
                }
                "event_types" => {
                    update.event_types = Some(event_types(fields, &request.event_types));
                }
                "description" => {
                    let description = &request.description;
                    fields.text("description", description, limits::DESCRIPTION_CHARS_MAX);
                    update.description = Some(description.clone());
                }
                "disabled" => update.disabled = Some(request.disabled),
                other => fields.unknown_path(other, "url, event_types, description or disabled"),
            }
        }
        update
    }

    pub(super) async fn delete_endpoint(
        &self,
        request: &pb::DeleteWebhookEndpointRequest,
    ) -> Result<pb::DeleteWebhookEndpointResponse, Status> {
        let id = endpoint_id(&request.endpoint_id)?;
        self.store.delete_endpoint(id).await.map_err(status::of_not_changed)?;
        Ok(pb::DeleteWebhookEndpointResponse {})
    }

    pub(super) async fn rotate_secret(
        &self,
        request: &pb::RotateWebhookSecretRequest,
    ) -> Result<pb::RotateWebhookSecretResponse, Status> {
        let id = endpoint_id(&request.endpoint_id)?;
        let rotated = self.store.rotate_secret(id, fresh_secret()?).await;
        let rotated = rotated.map_err(status::of_not_changed)?;
        let secret = rotated.what.secret.reveal().to_owned();
        let endpoint = Some(convert::endpoint(rotated.what, rotated.at));
        Ok(pb::RotateWebhookSecretResponse { endpoint, secret })
    }
}

fn fresh_secret() -> Result<Secret, Status> {
    Secret::fresh().map_err(|error| status::unexpected(&error))
}

/// The one field of a request that names an endpoint.
pub(super) fn endpoint_id(text: &str) -> Result<EndpointId, Status> {
    let mut fields = Fields::default();
    let id = fields.take("endpoint_id", EndpointId::parse(text));
    id.ok_or_else(|| fields.refuse())
}

fn event_types(fields: &mut Fields, names: &[String]) -> BTreeSet<EventType> {
    let mut types = BTreeSet::new();
    if too_many(fields, "event_types", names.len()) {
        return types;
    }
    for (index, name) in names.iter().enumerate() {
        let kind = EventType::subscribable(name).ok_or("must be a type such as \"grant.expired\"");
        types.extend(fields.take(&format!("event_types[{index}]"), kind));
    }
    types
}
