//! Campaigns: the same grant for many customers, once each.

mod keys;
mod large;
mod runs;

use creditd::pb;

use crate::harness::campaign::{campaign, campaign_for, figures, profiles};
use crate::harness::{Client, World, say};

#[tokio::test(flavor = "multi_thread")]
async fn everyone_in_a_segment_gets_the_grant() {
    World::run(async |world| {
        let client = &world.client;
        client.upsert(profiles(["b", "a", "c"], &["gold", "eu"])).await;
        client.upsert(profiles(["d"], &["eu"])).await;
        let asked = pb::CreateCampaignRequest {
            template: Some(pb::CreateGrantRequest {
                r#type: pb::GrantType::Monetary.into(),
                amount: "5".into(),
                currency: "USD".into(),
                category: pb::GrantCategory::Promotional.into(),
                expires_at: say::hour(24),
                description: "Spring".into(),
                metadata: say::pairs(&[("plan", "gold")]),
                ..Default::default()
            }),
            ..campaign("spring", "gold", "")
        };
        let made = client.try_campaign(asked.clone()).await.expect("a campaign");
        assert!(!made.replayed);
        let template = pb::CreateGrantRequest {
            amount: "5.00".into(),
            priority: Some(10),
            ..asked.template.expect("a template")
        };
        let begun = made.campaign.expect("a campaign");
        assert_eq!((begun.state(), begun.members), (pb::CampaignState::Running, 3));
        let expected = pb::Campaign {
            campaign_id: "spring".into(),
            segment: "gold".into(),
            named_customers: 0,
            template: Some(template),
            state: pb::CampaignState::Finished.into(),
            run: 1,
            members: 3,
            processed: 3,
            created: 3,
            duplicates: 0,
            rejected: 0,
            rejections: Vec::new(),
            created_at: say::hour(0),
            started_at: say::hour(0),
            finished_at: say::hour(0),
            created_by: "anonymous".into(),
        };
        assert_eq!(client.finished("spring").await, expected);
        let request = pb::GetCampaignRequest { campaign_id: "spring".into() };
        assert_eq!(client.try_get_campaign(request).await.expect("a campaign"), expected);

        look_like_the_template(client).await;
        assert_eq!(client.balance("d").await.totals, []);
    })
    .await;
}

/// The grants of the campaign `spring`, and what the ledger says of one of them.
async fn look_like_the_template(client: &Client) {
    let grants = client.campaign_grants("spring").await;
    let mut owners: Vec<&str> = grants.iter().map(|grant| &*grant.customer_id).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["a", "b", "c"]);
    let grant = pb::Grant { id: String::new(), customer_id: String::new(), ..grants[0].clone() };
    let told = (&*grant.amount, &*grant.currency, grant.priority, &*grant.description);
    assert_eq!(told, ("5.00", "USD", 10, "Spring"));
    assert_eq!((&*grant.campaign_id, &*grant.import_id), ("spring", ""));
    assert_eq!((grant.effective_at, grant.expires_at), (say::hour(0), say::hour(24)));
    assert_eq!(
        (grant.category(), grant.metadata),
        (pb::GrantCategory::Promotional, say::pairs(&[("plan", "gold")]),)
    );
    // The entry that made it says so, and no later one.
    client.void(&grants[0].id, "r").await;
    let ledger = client.ledger(&grants[0].customer_id).await;
    let campaigns: Vec<&str> = ledger.iter().map(|entry| &*entry.campaign_id).collect();
    assert_eq!(campaigns, ["spring", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_are_named_one_by_one() {
    World::run(async |world| {
        let client = &world.client;
        let asked = campaign_for("outage", &["new", "b", "a"], "2.5");
        let done = client.run_campaign(asked).await;
        assert_eq!((done.named_customers, &*done.segment), (3, ""));
        assert_eq!(figures(&done), [3, 3, 3, 0, 0]);
        for customer in ["a", "b", "new"] {
            assert_eq!(client.balance(customer).await.totals[0].available, "2.5");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_validate() {
    World::run(async |world| {
        let client = &world.client;
        client.upsert(profiles(["a", "b", "c"], &["s"])).await;
        let asked = |request| pb::CreateCampaignRequest { validate_only: true, ..request };
        let before = world.database.counts().await;
        for (request, named) in
            [(campaign("c1", "s", "1"), 0), (campaign_for("c1", &["a", "b", "c"], "1"), 3)]
        {
            let told = client.try_campaign(asked(request)).await.expect("an answer");
            let foreseen = told.campaign.expect("a campaign");
            assert!(!told.replayed);
            assert_eq!((foreseen.run, foreseen.named_customers), (1, named));
            assert_eq!(figures(&foreseen), [3, 3, 3, 0, 0]);
            assert_eq!((foreseen.created_at, foreseen.started_at), (None, None));
        }
        assert_eq!(world.database.counts().await, before);

        client.run_campaign(campaign("c1", "s", "1")).await;
        client.upsert(profiles(["d"], &["s"])).await;
        let before = world.database.counts().await;
        let told = client.try_campaign(asked(campaign("c1", "s", "1"))).await.expect("an answer");
        let foreseen = told.campaign.expect("a campaign");
        assert!(told.replayed);
        assert_eq!((foreseen.run, figures(&foreseen)), (2, [4, 4, 1, 3, 0]));
        let reused = client.try_campaign(asked(campaign("c1", "s", "2"))).await;
        assert_eq!(say::reason(&reused.expect_err("another")), "CAMPAIGN_ID_REUSED");
        assert_eq!(world.database.counts().await, before);

        client.run_campaign(campaign_for("c2", &["a"], "1")).await;
        let told = client.try_campaign(asked(campaign_for("c2", &["a"], "1"))).await;
        let foreseen = told.expect("an answer").campaign.expect("a campaign");
        assert_eq!(figures(&foreseen), [1, 1, 0, 1, 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_are_listed_newest_first() {
    World::run(async |world| {
        let client = world.client.clone();
        for (hour, id) in [(0, "b"), (0, "a"), (1, "c"), (2, "0")] {
            world.advance_to(crate::harness::t0() + chrono::TimeDelta::hours(hour)).await;
            client.run_campaign(campaign(id, "nobody", "1")).await;
        }
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListCampaignsRequest { page_size: 3, page_token };
            let page = client.try_list_campaigns(request).await.expect("a page");
            listed.extend(page.campaigns);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let ids: Vec<&str> = listed.iter().map(|campaign| &*campaign.campaign_id).collect();
        assert_eq!(ids, ["0", "c", "b", "a"]);
        for campaign in &listed {
            let id = campaign.campaign_id.clone();
            let got = client.try_get_campaign(pb::GetCampaignRequest { campaign_id: id }).await;
            assert_eq!(got.expect("a campaign"), *campaign);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_campaign_is_not_found() {
    World::run(async |world| {
        let campaign_id = "nobody".to_owned();
        let request = pb::GetCampaignRequest { campaign_id: campaign_id.clone() };
        let got = world.client.try_get_campaign(request).await.expect_err("none");
        let request = pb::WatchCampaignRequest { campaign_id };
        let watched = world.client.try_watch_campaign(request).await.expect_err("none");
        for status in [got, watched] {
            assert_eq!(status.code(), tonic::Code::NotFound);
            assert_eq!(say::reason(&status), "CAMPAIGN_NOT_FOUND");
        }
    })
    .await;
}
