//! Watching a run to its end.

use tonic::Status;

use super::super::Connection;
use super::super::output::Output;
use super::super::patience::Patience;
use super::super::progress::{Progress, Total};
use super::{Error, told};
use crate::pb::campaign_service_client::CampaignServiceClient;
use crate::pb::{Campaign, CampaignState, WatchCampaignRequest, WatchCampaignResponse};

/// Shows how far a run has come until it has finished, and then what came of it.
pub(super) async fn to_the_end(
    client: &mut CampaignServiceClient<Connection>,
    campaign_id: String,
    output: Output,
) -> Result<(), Error> {
    let interrupted = format!(
        "interrupted: the campaign goes on; creditd campaign watch {campaign_id} shows how far it is"
    );
    tokio::select! {
        done = follow(client, campaign_id, output) => done,
        _ = tokio::signal::ctrl_c() => Err(Error::Unfinished(interrupted)),
    }
}

async fn follow(
    client: &mut CampaignServiceClient<Connection>,
    campaign_id: String,
    output: Output,
) -> Result<(), Error> {
    let request = WatchCampaignRequest { campaign_id };
    let mut view = View { progress: Progress::new("customers", Total::Unknown), shown: 0 };
    let mut patience = Patience::new();
    let answer = loop {
        match view.stream(client, &request, &mut patience).await {
            Ok(last) => break last,
            Err(broken) => patience.wait(broken, &view.progress).await?,
        }
    };
    view.progress.done();
    output.answer(&answer, |answer| told(answer.campaign.as_ref()))?;
    match answer.campaign.map_or(0, |campaign| campaign.rejected) {
        0 => Ok(()),
        rejected => Err(Error::Unfinished(format!("{rejected} customers were rejected"))),
    }
}

/// A run under way, as it is shown.
struct View {
    progress: Progress,
    /// How many customers the bar knows of.
    shown: u64,
}

impl View {
    /// Shows what one stream brings; the last change, of a run that has finished.
    async fn stream(
        &mut self,
        client: &mut CampaignServiceClient<Connection>,
        request: &WatchCampaignRequest,
        patience: &mut Patience,
    ) -> Result<WatchCampaignResponse, Status> {
        let mut changes = client.watch_campaign(request.clone()).await?.into_inner();
        while let Some(change) = changes.message().await? {
            patience.restore();
            let campaign = change.campaign.as_ref();
            if let Some(campaign) = campaign {
                self.show(campaign);
            }
            if campaign.is_some_and(|now| now.state() == CampaignState::Finished) {
                return Ok(change);
            }
        }
        Err(Status::unavailable("the stream ended early"))
    }

    fn show(&mut self, campaign: &Campaign) {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        // More may have joined than there were at the beginning.
        self.progress.expect(Total::Known(count(campaign.members.max(campaign.processed))));
        let processed = count(campaign.processed);
        self.progress.add(processed.saturating_sub(self.shown));
        self.shown = self.shown.max(processed);
    }
}
