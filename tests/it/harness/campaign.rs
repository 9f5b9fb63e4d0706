//! Calls about segments and campaigns, as tests make them.

use creditd::pb;
use futures_util::{TryStreamExt as _, stream};
use tonic::Status;

use super::{Client, say};

type Tried<T> = Result<T, Status>;

/// Customers in these segments, whose names are their ids.
pub fn profiles<'a>(
    ids: impl IntoIterator<Item = &'a str>,
    segments: &[&str],
) -> Vec<pb::Customer> {
    let profile = |id: &str| pb::Customer {
        customer_id: id.to_owned(),
        name: id.to_owned(),
        segments: say::names(segments),
        ..Default::default()
    };
    ids.into_iter().map(profile).collect()
}

/// A campaign for a segment: units open to any metric, for ever.
pub fn campaign(id: &str, segment: &str, amount: &str) -> pb::CreateCampaignRequest {
    pb::CreateCampaignRequest {
        campaign_id: id.to_owned(),
        segment: segment.to_owned(),
        template: Some(pb::CreateGrantRequest {
            r#type: pb::GrantType::Units.into(),
            amount: amount.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The same for customers by their ids.
pub fn campaign_for(id: &str, customers: &[&str], amount: &str) -> pb::CreateCampaignRequest {
    pb::CreateCampaignRequest { customer_ids: say::names(customers), ..campaign(id, "", amount) }
}

/// Members, processed, created, duplicates, rejected.
pub fn figures(campaign: &pb::Campaign) -> [i64; 5] {
    let pb::Campaign { members, processed, created, duplicates, rejected, .. } = *campaign;
    [members, processed, created, duplicates, rejected]
}

impl Client {
    /// What becomes of profiles, sent in these messages.
    pub async fn try_upsert(
        &self,
        messages: Vec<Vec<pb::Customer>>,
    ) -> Tried<Vec<pb::UpsertCustomersResponse>> {
        let requests =
            messages.into_iter().map(|customers| pb::UpsertCustomersRequest { customers });
        let answers = self.customers.clone().upsert_customers(stream::iter(requests)).await?;
        answers.into_inner().try_collect().await
    }

    /// What becomes of profiles that are fewer than a message takes.
    pub async fn upsert(&self, profiles: Vec<pb::Customer>) -> Vec<pb::UpsertOutcome> {
        let answers = self.try_upsert(vec![profiles]).await.expect("answers");
        let results = answers.iter().flat_map(|answer| &answer.results);
        results.map(pb::UpsertResult::outcome).collect()
    }

    pub async fn try_list_customers(
        &self,
        request: pb::ListCustomersRequest,
    ) -> Tried<pb::ListCustomersResponse> {
        Ok(self.customers.clone().list_customers(request).await?.into_inner())
    }

    pub async fn try_get_customer(&self, request: pb::GetCustomerRequest) -> Tried<pb::Customer> {
        let answer = self.customers.clone().get_customer(request).await?.into_inner();
        Ok(answer.customer.expect("a profile"))
    }

    pub async fn try_campaign(
        &self,
        request: pb::CreateCampaignRequest,
    ) -> Tried<pb::CreateCampaignResponse> {
        Ok(self.campaigns.clone().create_campaign(request).await?.into_inner())
    }

    pub async fn try_get_campaign(&self, request: pb::GetCampaignRequest) -> Tried<pb::Campaign> {
        let answer = self.campaigns.clone().get_campaign(request).await?.into_inner();
        Ok(answer.campaign.expect("a campaign"))
    }

    pub async fn try_list_campaigns(
        &self,
        request: pb::ListCampaignsRequest,
    ) -> Tried<pb::ListCampaignsResponse> {
        Ok(self.campaigns.clone().list_campaigns(request).await?.into_inner())
    }

    /// Every change that is told of a campaign until its run has finished.
    pub async fn try_watch_campaign(
        &self,
        request: pb::WatchCampaignRequest,
    ) -> Tried<Vec<pb::Campaign>> {
        let changes = self.campaigns.clone().watch_campaign(request).await?.into_inner();
        let changes: Vec<pb::WatchCampaignResponse> = changes.try_collect().await?;
        Ok(changes.into_iter().map(|change| change.campaign.expect("a campaign")).collect())
    }

    /// Makes a campaign, or runs it again, and waits until that has finished.
    pub async fn run_campaign(&self, request: pb::CreateCampaignRequest) -> pb::Campaign {
        let campaign_id = request.campaign_id.clone();
        self.try_campaign(request).await.expect("a campaign");
        self.finished(&campaign_id).await
    }

    /// Waits until a campaign's run has finished.
    pub async fn finished(&self, campaign_id: &str) -> pb::Campaign {
        let request = pb::WatchCampaignRequest { campaign_id: campaign_id.to_owned() };
        let changes = self.try_watch_campaign(request).await.expect("changes");
        let last = changes.last().expect("a change");
        assert_eq!(last.state(), pb::CampaignState::Finished);
        last.clone()
    }

    /// The grants of a campaign, up to a page of 1,000.
    pub async fn campaign_grants(&self, campaign_id: &str) -> Vec<pb::Grant> {
        let request = pb::ListGrantsRequest {
            campaign_id: campaign_id.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        self.try_list_grants(request).await.expect("grants").grants
    }
}
