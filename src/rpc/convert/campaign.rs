//! Campaigns as the wire says them.

use super::{category, scope, time};
use crate::domain::campaign::{Audience, Campaign, NewCampaign, Run};
use crate::domain::command::CreateGrant;
use crate::domain::ids::Segment;
use crate::pb;
use crate::rpc::status;
use crate::store::Forecast;

/// A campaign, and its last run as far as it has come.
pub(in crate::rpc) fn campaign(campaign: Campaign) -> pb::Campaign {
    let Run { number, started_at, finished_at, members, .. } = campaign.run;
    let state = match finished_at {
        None => pb::CampaignState::Running,
        Some(_) => pb::CampaignState::Finished,
    };
    // Named customers are all members, always.
    let named = if campaign.segment.is_some() { 0 } else { members };
    let rejections = campaign.run.rejections.into_iter().map(|(customer_id, rejection)| {
        let error = Some(status::as_message(&status::of_rejection(rejection)));
        pb::CampaignRejection { customer_id, error }
    });
    pb::Campaign {
        campaign_id: campaign.campaign_id.to_string(),
        segment: campaign.segment.as_ref().map(Segment::to_string).unwrap_or_default(),
        named_customers: i32::try_from(named).unwrap_or(i32::MAX),
        template: Some(template(&campaign.template)),
        state: state.into(),
        run: number,
        members,
        processed: campaign.run.processed,
        created: campaign.run.created,
        duplicates: campaign.run.duplicates,
        rejected: campaign.run.rejected,
        rejections: rejections.collect(),
        created_at: Some(time(campaign.created_at)),
        started_at: Some(time(started_at)),
        finished_at: finished_at.map(time),
        created_by: campaign.created_by.to_string(),
    }
}

/// A campaign as a run that is not under way yet would leave it, if nobody refused.
pub(in crate::rpc) fn foreseen_campaign(
    new: &NewCampaign,
    known: Option<&Campaign>,
    forecast: Forecast,
) -> pb::Campaign {
    let Forecast { members, duplicates } = forecast;
    let (segment, named) = match &new.audience {
        Audience::Segment(segment) => (segment.to_string(), 0),
        Audience::Named(customers) => (String::new(), customers.len()),
    };
    pb::Campaign {
        campaign_id: new.campaign_id.to_string(),
        segment,
        named_customers: i32::try_from(named).unwrap_or(i32::MAX),
        template: Some(template(known.map_or(&new.template, |known| &known.template))),
        state: pb::CampaignState::Finished.into(),
        run: known.map_or(0, |known| known.run.number) + 1,
        members,
        processed: members,
        created: members - duplicates,
        duplicates,
        created_at: known.map(|known| time(known.created_at)),
        created_by: known.map_or(&new.actor, |known| &known.created_by).to_string(),
        ..pb::Campaign::default()
    }
}

/// What each customer gets.
fn template(template: &CreateGrant) -> pb::CreateGrantRequest {
    let of = scope(&template.scope);
    pb::CreateGrantRequest {
        r#type: of.kind,
        amount: template.scope.print(template.amount),
        currency: of.currency,
        metrics: of.metrics,
        priority: Some(template.priority.get().into()),
        category: category(template.category).into(),
        effective_at: template.effective_at.map(time),
        expires_at: template.expires_at.map(time),
        description: template.notes.description.clone(),
        metadata: template.notes.metadata.clone(),
        ..pb::CreateGrantRequest::default()
    }
}
