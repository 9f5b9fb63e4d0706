//! CampaignService and CustomerService. (What is wrong with a profile is told profile by profile:
//! tests/it/customers.rs.)

use creditd::pb;

use super::{Spot, refuses};
use crate::harness::campaign::{campaign, campaign_for, profiles};
use crate::harness::{World, say};

type Create = pb::CreateCampaignRequest;

fn template(request: &mut Create) -> &mut pb::CreateGrantRequest {
    request.template.get_or_insert_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign() {
    World::run(async |world| {
        let client = world.client.clone();
        let spots: &[Spot<Create>] = &[
            Spot::Id("campaign_id", |r| &mut r.campaign_id),
            Spot::Id("segment", |r| &mut r.segment),
            Spot::Case("template.request_id", |r| template(r).request_id = "r".into()),
            Spot::Case("template.customer_id", |r| template(r).customer_id = "a".into()),
            Spot::Case("template.validate_only", |r| template(r).validate_only = true),
            Spot::Amount("template.amount", |r| &mut template(r).amount),
            Spot::Enum("template.category", |r| &mut template(r).category),
            Spot::Enum("template.type", |r| &mut template(r).r#type),
            Spot::Case("template.priority", |r| template(r).priority = Some(101)),
            Spot::Time("template.effective_at", |r| &mut template(r).effective_at),
            Spot::Time("template.expires_at", |r| &mut template(r).expires_at),
            Spot::Text("template.description", |r| &mut template(r).description),
            Spot::Case("template.metadata[]", |r| {
                template(r).metadata = say::pairs(&[("", "v")]);
            }),
            Spot::Case("template.metrics[1]", |r| template(r).metrics = say::names(&["a", ""])),
        ];
        refuses(world, campaign("c1", "nobody", "1"), spots, on!(client, try_campaign)).await;
        let others: &[Spot<Create>] = &[
            Spot::Case("template.currency", |r| template(r).currency = "USD".into()),
            Spot::Case("template.expires_at", |r| template(r).expires_at = say::hour(0)),
            Spot::Case("template.expires_at", |r| {
                (template(r).effective_at, template(r).expires_at) = (say::hour(2), say::hour(1));
            }),
            Spot::Case("segment", |r| r.customer_ids = say::names(&["a"])),
        ];
        for other in others {
            let good = campaign("c2", "nobody", "1");
            let other = std::slice::from_ref(other);
            let validate = Create { validate_only: true, ..good };
            refuses(world, validate, other, on!(client, try_campaign)).await;
        }
        let none = client.try_campaign(Create::default()).await.expect_err("empty");
        let fields = ["campaign_id", "segment", "template.type", "template.amount"];
        assert_eq!(say::bad_fields(&none), fields);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_for_named_customers() {
    World::run(async |world| {
        let client = world.client.clone();
        let good = Create { validate_only: true, ..campaign_for("c1", &["a", "b"], "1") };
        let spots: &[Spot<Create>] = &[
            Spot::Case("customer_ids[1]", |r| r.customer_ids[1] = " a".into()),
            Spot::Case("customer_ids[0]", |r| r.customer_ids[0].clear()),
        ];
        refuses(world, good.clone(), spots, on!(client, try_campaign)).await;
        let others: &[Spot<Create>] = &[
            Spot::Case("customer_ids[2]", |r| r.customer_ids.push("a".into())),
            Spot::Case("customer_ids", |r| {
                r.customer_ids = (0..10_001).map(|n| n.to_string()).collect();
            }),
        ];
        for other in others {
            let other = std::slice::from_ref(other);
            refuses(world, good.clone(), other, on!(client, try_campaign)).await;
        }
        let most = (0..10_000).map(|n| n.to_string()).collect();
        let most = Create { customer_ids: most, ..good };
        client.try_campaign(most).await.expect("as many as may be");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads() {
    World::run(async |world| {
        let client = world.client.clone();
        client.run_campaign(campaign("c1", "nobody", "1")).await;
        client.upsert(profiles(["a"], &["s"])).await;
        let good = pb::GetCampaignRequest { campaign_id: "c1".into() };
        let spots = [Spot::Id("campaign_id", |r: &mut pb::GetCampaignRequest| &mut r.campaign_id)];
        refuses(world, good, &spots, on!(client, try_get_campaign)).await;
        let good = pb::WatchCampaignRequest { campaign_id: "c1".into() };
        let spots =
            [Spot::Id("campaign_id", |r: &mut pb::WatchCampaignRequest| &mut r.campaign_id)];
        refuses(world, good, &spots, on!(client, try_watch_campaign)).await;
        let good = pb::GetCustomerRequest { customer_id: "a".into() };
        let spots = [Spot::Id("customer_id", |r: &mut pb::GetCustomerRequest| &mut r.customer_id)];
        refuses(world, good, &spots, on!(client, try_get_customer)).await;
        let spots: &[Spot<pb::ListCampaignsRequest>] = &[
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "?".into()),
        ];
        refuses(world, pb::ListCampaignsRequest::default(), spots, on!(client, try_list_campaigns))
            .await;
        let spots: &[Spot<pb::ListCustomersRequest>] = &[
            Spot::OptionalId("segment", |r| &mut r.segment),
            Spot::PageSize(|r| &mut r.page_size),
            Spot::Case("page_token", |r| r.page_token = "?".into()),
        ];
        refuses(world, pb::ListCustomersRequest::default(), spots, on!(client, try_list_customers))
            .await;
    })
    .await;
}
