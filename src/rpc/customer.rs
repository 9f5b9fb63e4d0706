//! CustomerService: profiles and segments.

use std::collections::HashSet;

use futures_util::FutureExt as _;
use futures_util::future::ready;
use tonic::{Request, Response, Status, Streaming};

use super::fields::Fields;
use super::page::Page;
use super::stream::{self, Conversation, Underway};
use super::{Services, convert, status};
use crate::domain::ids::{Customer, Segment};
use crate::domain::profile::{KeptProfile, Profile, Written};
use crate::pb::UpsertOutcome;
use crate::pb::customer_service_server::CustomerService;
use crate::{limits, pb};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CustomerService for Services {
    type UpsertCustomersStream = stream::Responses<pb::UpsertCustomersResponse>;

    async fn upsert_customers(
        &self,
        request: Request<Streaming<pb::UpsertCustomersRequest>>,
    ) -> Answer<Self::UpsertCustomersStream> {
        let upsert = Upsert(self.clone());
        Ok(Response::new(stream::serve(upsert, request.into_inner(), self.closing.clone())))
    }

    async fn list_customers(
        &self,
        request: Request<pb::ListCustomersRequest>,
    ) -> Answer<pb::ListCustomersResponse> {
        let mut request = request.into_inner();
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, after) = Page::read("customers", &mut fields, &request, size, &token);
        let segment = fields.take_optional("segment", &request.segment, Segment::parse);
        fields.check()?;
        let listed = self.store.list_profiles(segment.as_ref(), after, page.ask()).await;
        let shown = listed.map_err(status::of_store)?.into_iter().map(|kept| {
            let key = kept.profile.customer.external_id.to_string();
            (key, profile(kept))
        });
        let (customers, next_page_token) = page.cut(shown);
        Ok(Response::new(pb::ListCustomersResponse { customers, next_page_token }))
    }

    async fn get_customer(
        &self,
        request: Request<pb::GetCustomerRequest>,
    ) -> Answer<pb::GetCustomerResponse> {
        let mut fields = Fields::default();
        let id = request.into_inner().customer_id;
        let customer = fields.take("customer_id", Customer::parse(&id));
        let Some(customer) = customer else { return Err(fields.refuse()) };
        let found = self.store.profile(&customer).await.map_err(status::of_store)?;
        let found = found.ok_or_else(|| status::no_customer(&id))?;
        Ok(Response::new(pb::GetCustomerResponse { customer: Some(profile(found)) }))
    }
}

/// A caller's profiles.
struct Upsert(Services);

impl Conversation for Upsert {
    type Request = pb::UpsertCustomersRequest;
    type Response = pb::UpsertCustomersResponse;

    async fn begin(
        &mut self,
        request: pb::UpsertCustomersRequest,
    ) -> Result<Option<Underway<pb::UpsertCustomersResponse>>, Status> {
        if request.customers.is_empty() || request.customers.len() > limits::PROFILES_MAX {
            let most = limits::PROFILES_MAX;
            return Err(status::invalid_field("customers", &format!("must be 1 to {most}")));
        }
        let sent: Vec<(String, Result<Profile, Status>)> =
            request.customers.into_iter().map(read).collect();
        // One message at a time: what comes later is to stay.
        let mut written = self.write(&sent).await?.into_iter();
        let mut bytes = 0;
        let mut results = Vec::with_capacity(sent.len());
        for (customer_id, read) in sent {
            let mut result = pb::UpsertResult { customer_id, ..Default::default() };
            match read {
                Ok(_) => result.set_outcome(outcome(written.next())?),
                Err(error) => {
                    result.set_outcome(UpsertOutcome::Rejected);
                    result.error = Some(status::within(&mut bytes, &error));
                }
            }
            results.push(result);
        }
        Ok(Some(ready(Ok(pb::UpsertCustomersResponse { results })).boxed()))
    }
}

impl Upsert {
    /// Writes the profiles that read, those of one customer one after another.
    async fn write(
        &self,
        sent: &[(String, Result<Profile, Status>)],
    ) -> Result<Vec<Written>, Status> {
        let mut written = Vec::with_capacity(sent.len());
        let mut next = Vec::with_capacity(sent.len());
        let mut named = HashSet::with_capacity(sent.len());
        for profile in sent.iter().filter_map(|(_, read)| read.as_ref().ok()) {
            if !named.insert(profile.customer.key) {
                written.extend(self.write_together(&std::mem::take(&mut next)).await?);
                named = HashSet::from([profile.customer.key]);
            }
            next.push(profile.clone());
        }
        written.extend(self.write_together(&next).await?);
        Ok(written)
    }

    async fn write_together(&self, profiles: &[Profile]) -> Result<Vec<Written>, Status> {
        if profiles.is_empty() {
            return Ok(Vec::new());
        }
        self.0.store.upsert_profiles(profiles).await.map_err(status::of_store)
    }
}

/// A profile as it was sent, under the id that was sent.
fn read(sent: pb::Customer) -> (String, Result<Profile, Status>) {
    let mut fields = Fields::default();
    let customer = fields.take("customer_id", Customer::parse(&sent.customer_id));
    fields.text("name", &sent.name, limits::NAME_CHARS_MAX);
    let mut segments = Vec::with_capacity(sent.segments.len());
    if sent.segments.len() > limits::SEGMENTS_MAX {
        fields.fault("segments", format_args!("must be at most {}", limits::SEGMENTS_MAX));
    } else {
        for (index, segment) in sent.segments.iter().enumerate() {
            let field = format!("segments[{index}]");
            segments.extend(fields.take(&field, Segment::parse(segment)));
        }
    }
    let read = match customer {
        Some(customer) => fields.check().map(|()| Profile::new(customer, sent.name, segments)),
        None => Err(fields.refuse()),
    };
    (sent.customer_id, read)
}

fn outcome(written: Option<Written>) -> Result<UpsertOutcome, Status> {
    match written {
        Some(Written::Created) => Ok(UpsertOutcome::Created),
        Some(Written::Updated) => Ok(UpsertOutcome::Updated),
        Some(Written::Unchanged) => Ok(UpsertOutcome::Unchanged),
        None => Err(status::unexpected(&"a result is missing")),
    }
}

fn profile(kept: KeptProfile) -> pb::Customer {
    let KeptProfile { profile, created_at, updated_at } = kept;
    pb::Customer {
        customer_id: profile.customer.external_id.to_string(),
        name: profile.name,
        segments: profile.segments.iter().map(ToString::to_string).collect(),
        created_at: Some(convert::time(created_at)),
        updated_at: Some(convert::time(updated_at)),
    }
}
