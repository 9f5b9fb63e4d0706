//! CampaignService. What a campaign gives to whom is the background's work (tasks/campaigns.rs).

use std::sync::Arc;

use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::answers::{Answers, answers};
use super::fields::Fields;
use super::page::Page;
use super::{Services, convert, identity, parse, status};
use crate::domain::campaign::{Audience, Campaign, NewCampaign};
use crate::domain::ids::{CampaignId, Segment};
use crate::domain::refusal::Refusal;
use crate::pb::campaign_service_server::CampaignService;
use crate::{limits, pb};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CampaignService for Services {
    type WatchCampaignStream = ReceiverStream<Result<pb::WatchCampaignResponse, Status>>;

    async fn create_campaign(
        &self,
        request: Request<pb::CreateCampaignRequest>,
    ) -> Answer<pb::CreateCampaignResponse> {
        let actor = identity::actor(&request);
        let request = request.into_inner();
        let validate_only = request.validate_only;
        let new = read_campaign(request, actor)?;
        let (campaign, replayed) = if validate_only {
            self.foresee(&new).await?
        } else {
            let (campaign, replayed) = self.make(&new).await?;
            self.campaigns.notify_one();
            (convert::campaign(campaign), replayed)
        };
        Ok(Response::new(pb::CreateCampaignResponse { campaign: Some(campaign), replayed }))
    }

    async fn get_campaign(
        &self,
        request: Request<pb::GetCampaignRequest>,
    ) -> Answer<pb::GetCampaignResponse> {
        let id = campaign_id(&request.get_ref().campaign_id)?;
        let campaign = Some(convert::campaign(self.known_campaign(&id).await?));
        Ok(Response::new(pb::GetCampaignResponse { campaign }))
    }

    async fn list_campaigns(
        &self,
        request: Request<pb::ListCampaignsRequest>,
    ) -> Answer<pb::ListCampaignsResponse> {
        let mut request = request.into_inner();
        let (size, token) = (request.page_size, std::mem::take(&mut request.page_token));
        request.page_size = 0;
        let mut fields = Fields::default();
        let (page, before) = Page::read("campaigns", &mut fields, &request, size, &token);
        fields.check()?;
        let listed = self.store.list_campaigns(before, page.ask()).await;
        let shown = listed.map_err(status::of_store)?.into_iter().map(|campaign| {
            let key = (campaign.created_at, campaign.campaign_id.to_string());
            (key, convert::campaign(campaign))
        });
        let (campaigns, next_page_token) = page.cut(shown);
        Ok(Response::new(pb::ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn watch_campaign(
        &self,
        request: Request<pb::WatchCampaignRequest>,
    ) -> Answer<Self::WatchCampaignStream> {
        let id = campaign_id(&request.get_ref().campaign_id)?;
        let first = self.known_campaign(&id).await?;
        let services = self.clone();
        Ok(Response::new(answers(|changes| services.watch_run(first, changes))))
    }
}

impl Services {
    async fn known_campaign(&self, id: &CampaignId) -> Result<Campaign, Status> {
        let found = self.store.campaign(id).await.map_err(status::of_store)?;
        found.ok_or_else(|| status::no_campaign(id.as_str()))
    }

    /// The campaign that was made with this id before, which must be the same one; None where the
    /// id is new, and the campaign may be made.
    async fn made_before(&self, new: &NewCampaign) -> Result<Option<Campaign>, Status> {
        let known = self.store.campaign(&new.campaign_id).await.map_err(status::of_store)?;
        match known {
            Some(known) if new.is(&known) => return Ok(Some(known)),
            Some(_) => return Err(status::of_refusal(Refusal::CampaignIdReused)),
            None => {}
        }
        if let Some(end) = new.template.expires_at {
            let now = self.store.now().await.map_err(status::of_store)?;
            if end <= now {
                return Err(status::invalid_field("template.expires_at", "must be after now"));
            }
        }
        Ok(None)
    }

    /// Makes the campaign, or runs it again; and whether it had been made before.
    async fn make(&self, new: &NewCampaign) -> Result<(Campaign, bool), Status> {
        let is_new = self.made_before(new).await?.is_none()
            && self.store.create_campaign(new).await.map_err(status::of_store)?;
        if !is_new {
            // Somebody else may have been first a moment ago, with another one.
            self.made_before(new).await?;
            self.store.begin_run(&new.campaign_id).await.map_err(status::of_store)?;
        }
        Ok((self.known_campaign(&new.campaign_id).await?, !is_new))
    }

    /// The campaign as the end of its next run would leave it, as far as that is known, or as the
    /// run that is under way has; and whether it had been made before.
    async fn foresee(&self, new: &NewCampaign) -> Result<(pb::Campaign, bool), Status> {
        let known = self.made_before(new).await?;
        if let Some(running) = known.as_ref().filter(|known| known.run.finished_at.is_none()) {
            return Ok((convert::campaign(running.clone()), true));
        }
        let forecast = self.store.forecast(&new.campaign_id, &new.audience).await;
        let forecast = forecast.map_err(status::of_store)?;
        Ok((convert::foreseen_campaign(new, known.as_ref(), forecast), known.is_some()))
    }

    /// Tells of each change until the run has finished.
    async fn watch_run(
        self,
        first: Campaign,
        changes: Answers<pb::WatchCampaignResponse>,
    ) -> Result<(), Status> {
        let id = first.campaign_id.clone();
        let mut told = None;
        let mut campaign = first;
        loop {
            let run = campaign.run.clone();
            if told.as_ref() != Some(&run) {
                let change =
                    pb::WatchCampaignResponse { campaign: Some(convert::campaign(campaign)) };
                if changes.send(Ok(change)).await.is_err() || run.finished_at.is_some() {
                    return Ok(());
                }
                told = Some(run);
            }
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(status::draining()),
                () = changes.closed() => return Ok(()),
                () = sleep(limits::CAMPAIGN_WATCH_EVERY) => {}
            }
            campaign = self.known_campaign(&id).await?;
        }
    }
}

fn campaign_id(id: &str) -> Result<CampaignId, Status> {
    let mut fields = Fields::default();
    let id = fields.take("campaign_id", CampaignId::parse(id));
    id.ok_or_else(|| fields.refuse())
}

/// For whom the campaign is: a segment, or customers by their ids.
fn audience(fields: &mut Fields, request: &pb::CreateCampaignRequest) -> Option<Audience> {
    let (segment, named) = (&request.segment, &request.customer_ids);
    match (segment.is_empty(), named.is_empty()) {
        (true, true) => {
            fields.fault("segment", "is required, unless customer_ids are given");
            None
        }
        (false, true) => fields.take("segment", Segment::parse(segment)).map(Audience::Segment),
        (_, false) => {
            if !segment.is_empty() {
                fields.fault("segment", "must be empty where customer_ids are given");
            }
            let customers = parse::customers(fields, named, limits::CAMPAIGN_CUSTOMERS_MAX);
            Some(Audience::named(customers))
        }
    }
}

/// A campaign as it was asked for.
fn read_campaign(
    request: pb::CreateCampaignRequest,
    actor: Arc<str>,
) -> Result<NewCampaign, Status> {
    let mut fields = Fields::default();
    let campaign_id = fields.take("campaign_id", CampaignId::parse(&request.campaign_id));
    let audience = audience(&mut fields, &request);
    let template = request.template.unwrap_or_default();
    let template = parse::template(&mut fields, template, campaign_id.clone());
    let (Some(campaign_id), Some(audience), Some(template)) = (campaign_id, audience, template)
    else {
        return Err(fields.refuse());
    };
    fields.check()?;
    Ok(NewCampaign { campaign_id, audience, template, actor })
}
