//! Once per customer, however often a campaign is run; the same campaign and another.

use chrono::TimeDelta;
use creditd::pb;
use tonic::Code;

use crate::harness::campaign::{campaign, campaign_for, figures, profiles};
use crate::harness::{World, say, t0};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_again_covers_who_is_new() {
    World::run(async |world| {
        let client = world.client.clone();
        client.upsert(profiles(["a", "b", "c"], &["s"])).await;
        let first = client.run_campaign(campaign("c1", "s", "1")).await;
        assert_eq!((first.run, figures(&first)), (1, [3, 3, 3, 0, 0]));
        // One leaves, two join; one of the grants is gone.
        client.upsert(profiles(["b"], &[])).await;
        client.upsert(profiles(["0", "d"], &["s"])).await;
        client.void(&client.campaign_grants("c1").await[0].id, "r").await;
        // At the same instant: what a run made is told by the run, not by the time.
        let again = client.try_campaign(campaign("c1", "s", "1.0")).await.expect("a run");
        assert!(again.replayed);
        let second = client.finished("c1").await;
        assert_eq!((second.run, figures(&second)), (2, [4, 4, 2, 2, 0]));
        world.advance(TimeDelta::hours(1)).await;
        let third = client.run_campaign(campaign("c1", "s", "1")).await;
        assert_eq!((third.run, figures(&third)), (3, [4, 4, 0, 4, 0]));
        assert_eq!((third.created_at, third.started_at), (say::hour(0), say::hour(1)));
        assert_eq!(client.campaign_grants("c1").await.len(), 5);
        // Another campaign is another key.
        let other = client.run_campaign(campaign("c2", "s", "1")).await;
        assert_eq!(figures(&other), [4, 4, 4, 0, 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_payload_is_the_same_campaign() {
    World::run(async |world| {
        let client = &world.client;
        let full = |terms: pb::CreateGrantRequest, named: &[&str]| pb::CreateCampaignRequest {
            template: Some(terms),
            ..campaign_for("c1", named, "")
        };
        let terms = pb::CreateGrantRequest {
            r#type: pb::GrantType::Units.into(),
            amount: "1".into(),
            metrics: say::names(&["m", "n"]),
            category: pb::GrantCategory::Service.into(),
            effective_at: say::hour(1),
            ..Default::default()
        };
        let first = client.run_campaign(full(terms.clone(), &["a", "b"])).await;
        let same = [
            full(terms.clone(), &["b", "a"]),
            full(pb::CreateGrantRequest { amount: "1.000".into(), ..terms.clone() }, &["a", "b"]),
            full(pb::CreateGrantRequest { priority: Some(5), ..terms.clone() }, &["a", "b"]),
            full(pb::CreateGrantRequest { effective_at: None, ..terms.clone() }, &["a", "b"]),
            full(
                pb::CreateGrantRequest { metrics: say::names(&["n", "m", "n"]), ..terms.clone() },
                &["a", "b"],
            ),
        ];
        for request in same {
            let again = client.run_campaign(request).await;
            assert_eq!(figures(&again), [2, 2, 0, 2, 0]);
            assert_eq!(again.template, first.template);
        }
        let others = [
            campaign("c1", "s", "1"),
            full(terms.clone(), &["a"]),
            full(terms.clone(), &["a", "b", "c"]),
            full(pb::CreateGrantRequest { amount: "2".into(), ..terms.clone() }, &["a", "b"]),
            full(pb::CreateGrantRequest { priority: Some(6), ..terms.clone() }, &["a", "b"]),
            full(
                pb::CreateGrantRequest { effective_at: say::hour(2), ..terms.clone() },
                &["a", "b"],
            ),
            full(pb::CreateGrantRequest { expires_at: say::hour(2), ..terms.clone() }, &["a", "b"]),
            full(pb::CreateGrantRequest { description: "d".into(), ..terms.clone() }, &["a", "b"]),
        ];
        let before = world.database.counts().await;
        for request in others {
            let told = client.try_campaign(request).await;
            say::refused(told, Code::AlreadyExists, "CAMPAIGN_ID_REUSED");
        }
        assert_eq!(world.database.counts().await, before);
    })
    .await;
}

/// A run that is under way is not disturbed; a key is looked up before what depends on time.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_refused_at_the_door_only_when_it_is_new() {
    World::run(async |world| {
        let client = world.client.clone();
        let until = |id: &str, hours| pb::CreateCampaignRequest {
            template: Some(pb::CreateGrantRequest {
                expires_at: say::hour(hours),
                ..campaign(id, "s", "1").template.expect("a template")
            }),
            ..campaign(id, "s", "1")
        };
        client.upsert(profiles(["a"], &["s"])).await;
        for validate_only in [false, true] {
            let late = pb::CreateCampaignRequest { validate_only, ..until("c0", 0) };
            let told = client.try_campaign(late).await.expect_err("it has expired");
            assert_eq!(say::bad_fields(&told), ["template.expires_at"]);
        }
        client.run_campaign(until("c1", 1)).await;
        world.advance_to(t0() + TimeDelta::hours(1)).await;
        client.upsert(profiles(["b", "c"], &["s"])).await;
        let done = client.run_campaign(until("c1", 1)).await;
        assert_eq!(figures(&done), [3, 3, 0, 1, 2]);
        let rejected: Vec<&str> = done.rejections.iter().map(|r| &*r.customer_id).collect();
        assert_eq!(rejected, ["b", "c"]);
        for rejection in &done.rejections {
            let status = say::status(rejection.error.as_ref().expect("an error"));
            assert_eq!(say::bad_fields(&status), ["expires_at"]);
        }
        let nobody = client.balance("b").await;
        assert_eq!((nobody.revision, nobody.totals.len()), (0, 0));
    })
    .await;
}

/// The first hundred rejections are shown, whatever the number.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_everybody_refuses() {
    World::run(async |world| {
        let client = world.client.clone();
        let ids: Vec<String> = (0..2_300).map(|n| format!("c{n:04}")).collect();
        let mut messages = Vec::new();
        for ids in ids.chunks(1_000) {
            messages.push(profiles(ids.iter().map(String::as_str), &["s"]));
        }
        let mut asked = campaign("c1", "empty", "1");
        asked.template.as_mut().expect("a template").expires_at = say::hour(1);
        asked.segment = "s".into();
        // Nobody is there yet.
        assert_eq!(figures(&client.run_campaign(asked.clone()).await), [0; 5]);
        client.try_upsert(messages).await.expect("profiles");
        world.advance_to(t0() + TimeDelta::hours(2)).await;
        let done = client.run_campaign(asked).await;
        assert_eq!(figures(&done), [2_300, 2_300, 0, 0, 2_300]);
        let shown: Vec<&str> = done.rejections.iter().map(|r| &*r.customer_id).collect();
        assert_eq!(shown, ids[..100].iter().map(String::as_str).collect::<Vec<_>>());
    })
    .await;
}

/// One who has as many grants as one may have costs nobody else anything, and gets it another time.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_grants_is_rejected() {
    World::run(async |world| {
        let client = &world.client;
        let rows = (0..10_000).map(|_| say::row("full", "1")).collect();
        client.import("many", rows).await;
        let asked = || campaign_for("c1", &["a", "full", "z"], "1");
        let done = client.run_campaign(asked()).await;
        assert_eq!(figures(&done), [3, 3, 2, 0, 1]);
        let status = say::status(done.rejections[0].error.as_ref().expect("an error"));
        assert_eq!(
            (status.code(), &*say::reason(&status)),
            (Code::FailedPrecondition, "LIMIT_EXCEEDED")
        );
        assert_eq!(say::metadata(&status)["name"], "open_grants");
        client.record(say::usage("full", "e1", "m", "1")).await;
        assert_eq!(figures(&client.run_campaign(asked()).await), [3, 3, 1, 2, 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_of_a_campaign_are_voided_together() {
    World::run(async |world| {
        let client = &world.client;
        client.run_campaign(campaign_for("c1", &["a", "b", "c"], "2")).await;
        client.run_campaign(campaign_for("c2", &["a"], "7")).await;
        client.grant(say::units("a", "5")).await;
        client.record(say::usage("b", "e1", "m", "0.5")).await;
        let void = pb::VoidGrantsRequest {
            campaign_id: "c1".into(),
            reason: "wrong".into(),
            ..Default::default()
        };
        let told = client.try_void_all(void.clone()).await.expect("a void");
        let last = told.last().expect("a report");
        assert_eq!((last.voided, last.skipped, &*last.amount_voided), (3, 0, "5.5"));
        assert_eq!(client.balance("a").await.totals[0].available, "12");
        assert!(client.campaign_grants("c1").await.iter().all(|g| g.void_reason == "wrong"));
        // Its keys stay used.
        let again = client.run_campaign(campaign_for("c1", &["a", "b", "c"], "2")).await;
        assert_eq!(figures(&again), [3, 3, 0, 3, 0]);
        let told = client.try_void_all(void).await.expect("a void");
        assert_eq!(told.last().map(|last| (last.voided, last.skipped)), Some((0, 3)));

        let request =
            pb::ExportCreditReportRequest { campaign_id: "c1".into(), ..Default::default() };
        let (rows, _) = client.try_report(request).await.expect("a report");
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|grant| grant.campaign_id == "c1"));
    })
    .await;
}
