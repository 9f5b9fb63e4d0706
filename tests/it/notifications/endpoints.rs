//! Endpoints are made, changed and deleted.

use chrono::TimeDelta;
use creditd::domain::url_policy::UrlPolicy;
use creditd::pb;
use tonic::Code;

use crate::harness::{Options, World, notify, say};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_shown_and_listed() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateWebhookEndpointRequest {
            description: "the CRM".to_owned(),
            ..notify::subscribed("https://example.com/a?b", &["hold.expired", "grant.voided"])
        };
        let (made, secret) = client.create_endpoint(asked).await;
        assert_eq!(
            made,
            pb::WebhookEndpoint {
                id: made.id.clone(),
                url: "https://example.com/a?b".to_owned(),
                event_types: say::names(&["grant.voided", "hold.expired"]),
                description: "the CRM".to_owned(),
                created_at: say::hour(0),
                updated_at: say::hour(0),
                ..Default::default()
            }
        );
        assert!(secret.starts_with("whsec_"), "{secret}");
        world.advance(TimeDelta::hours(1)).await;
        let (other, another) = client.create_endpoint(notify::endpoint("http://[::1]:1/")).await;
        assert_eq!((other.event_types.len(), other.created_at), (0, say::hour(1)));
        assert_ne!(secret, another);
        assert_eq!(client.get_endpoint(&made.id).await, made);
        assert_eq!(client.endpoints().await, [made, other]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_makes_one_endpoint() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let asked = pb::CreateWebhookEndpointRequest {
            request_id: "r1".to_owned(),
            description: "d".to_owned(),
            ..notify::subscribed("https://example.com", &["hold.expired", "grant.voided"])
        };
        let (made, secret) = client.create_endpoint(asked.clone()).await;
        let request = pb::UpdateWebhookEndpointRequest {
            description: "changed since".to_owned(),
            ..notify::update(&made.id, &["description"])
        };
        let changed = client.update_endpoint(request).await;
        // The types in another order, and one of them twice, are the same types.
        let again = pb::CreateWebhookEndpointRequest {
            event_types: say::names(&["grant.voided", "hold.expired", "grant.voided"]),
            ..asked.clone()
        };
        let again = client.try_create_endpoint(again).await.expect("a replay");
        assert_eq!(
            (again.replayed, again.endpoint, again.secret),
            (true, Some(changed.clone()), secret)
        );
        let others: [fn(&mut pb::CreateWebhookEndpointRequest); 3] = [
            |r| r.url = "https://example.com/".into(),
            |r| r.description = "e".into(),
            |r| r.event_types.clear(),
        ];
        for other in others {
            let mut asked = asked.clone();
            other(&mut asked);
            let refused = client.try_create_endpoint(asked).await;
            say::refused(refused, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
        // What was replaced is not shown again.
        let (_, fresh) = client.try_rotate(&made.id).await.expect("a rotation");
        world.advance(TimeDelta::days(2)).await;
        let again = client.try_create_endpoint(asked.clone()).await.expect("a replay");
        assert_eq!((again.replayed, again.secret.as_str()), (true, ""));
        assert!(!fresh.is_empty());
        assert_eq!(client.endpoints().await.len(), 1);
        // What it made is gone, and it makes no other.
        client.delete_endpoint(&made.id).await;
        let gone = client.try_create_endpoint(asked).await;
        say::refused(gone, Code::NotFound, "ENDPOINT_NOT_FOUND");
        assert!(client.endpoints().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_request_id_each_call_makes_one() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (one, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        let (other, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        assert_ne!(one.id, other.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_sixteen_at_most() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let ask = |n: usize| {
            let url = format!("https://example.com/{n}");
            let request_id = format!("r{n}");
            pb::CreateWebhookEndpointRequest { request_id, ..notify::endpoint(&url) }
        };
        for n in 0..16 {
            client.create_endpoint(ask(n)).await;
        }
        let before = world.database.counts().await;
        let refused = client.try_create_endpoint(ask(16)).await;
        let status = say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        let told = say::metadata(&status);
        assert_eq!((told["name"].as_str(), told["limit"].as_str()), ("webhook_endpoints", "16"));
        assert_eq!(world.database.counts().await, before);
        // A replay makes none.
        assert!(client.try_create_endpoint(ask(3)).await.expect("a replay").replayed);
        // Disabled ones count; deleted ones do not.
        let first = client.endpoints().await.remove(0);
        client.disable(&first.id, true).await;
        let refused = client.try_create_endpoint(ask(16)).await;
        say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        client.delete_endpoint(&first.id).await;
        client.create_endpoint(ask(16)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mask_names_is_changed() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let asked = notify::subscribed("https://example.com", &["grant.created"]);
        let (made, _) = client.create_endpoint(asked).await;
        world.advance(TimeDelta::hours(1)).await;
        let all = pb::UpdateWebhookEndpointRequest {
            url: "https://example.org/".to_owned(),
            event_types: say::names(&["grant.voided"]),
            description: "d".to_owned(),
            disabled: true,
            ..notify::update(&made.id, &["url"])
        };
        let changed = client.update_endpoint(all.clone()).await;
        let expected = pb::WebhookEndpoint {
            url: "https://example.org/".to_owned(),
            updated_at: say::hour(1),
            ..made.clone()
        };
        assert_eq!(changed, expected);
        // The same again changes nothing, its instant neither.
        world.advance(TimeDelta::hours(1)).await;
        assert_eq!(client.update_endpoint(all.clone()).await, expected);
        let mask = notify::update(&made.id, &["description", "event_types", "disabled"]);
        let rest = pb::UpdateWebhookEndpointRequest { update_mask: mask.update_mask, ..all };
        let changed = client.update_endpoint(rest).await;
        let expected = pb::WebhookEndpoint {
            event_types: say::names(&["grant.voided"]),
            description: "d".to_owned(),
            disabled: true,
            updated_at: say::hour(2),
            ..expected
        };
        assert_eq!(changed, expected);
        // Named and left empty: everything, and no text.
        let none = notify::update(&made.id, &["event_types", "description", "disabled"]);
        let changed = client.update_endpoint(none).await;
        assert_eq!((changed.event_types.len(), changed.description.as_str()), (0, ""));
        assert!(!changed.disabled);
        assert_eq!(client.get_endpoint(&made.id).await, changed);
    })
    .await;
}

/// What creditd noted of an endpoint that failed, as a delivery would.
async fn fails(world: &World, id: &str, reason: Option<&str>) {
    let database = world.database.connect().await;
    let query = "UPDATE webhook_endpoints SET failing_since = created_at, \
                 disabled_at = CASE WHEN $2::text IS NOT NULL THEN created_at END, \
                 disabled_reason = $2 WHERE id::text = $1";
    database.execute(query, &[&id, &reason]).await.expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_enables_an_endpoint_says_that_it_is_mended() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        fails(world, &made.id, Some("410 Gone")).await;
        let shown = client.get_endpoint(&made.id).await;
        assert_eq!(
            (shown.disabled, shown.disabled_reason.as_str(), shown.failing_since),
            (true, "410 Gone", say::hour(0))
        );
        // It is disabled already, for that reason.
        assert_eq!(client.disable(&made.id, true).await, shown);
        let enabled = client.disable(&made.id, false).await;
        assert_eq!(enabled, made);
        // One that was not disabled goes on failing.
        fails(world, &made.id, None).await;
        assert_eq!(client.disable(&made.id, false).await.failing_since, say::hour(0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_endpoint_is_gone() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let (made, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        let (kept, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        client.try_send_test(&made.id).await.expect("a delivery");
        client.delete_endpoint(&made.id).await;
        assert_eq!(client.endpoints().await, [kept]);
        assert!(client.deliveries().await.is_empty());
        let id = made.id.as_str();
        let listed = pb::ListDeliveriesRequest { endpoint_id: id.to_owned(), ..Default::default() };
        for status in [
            client.try_get_endpoint(id).await.expect_err("gone"),
            client.try_update_endpoint(notify::update(id, &["disabled"])).await.expect_err("gone"),
            client.try_rotate(id).await.expect_err("gone"),
            client.try_send_test(id).await.expect_err("gone"),
            client.try_list_deliveries(listed).await.expect_err("gone"),
        ] {
            let status = say::refused::<()>(Err(status), Code::NotFound, "ENDPOINT_NOT_FOUND");
            let named = ("credits.v1.WebhookEndpoint".to_owned(), id.to_owned());
            assert_eq!(say::resource(&status), named);
        }
        // Deleting it again does nothing; deleting what never was is refused.
        client.delete_endpoint(id).await;
        let never = client.try_delete_endpoint("0198b6a0-0000-7000-8000-000000000000").await;
        say::refused(never, Code::NotFound, "ENDPOINT_NOT_FOUND");
        // The sweep of the next move of the clock removes what was for it.
        world.advance(TimeDelta::hours(1)).await;
        let counts = world.database.counts().await;
        assert!(counts.contains(&("deliveries".to_owned(), 0)), "{counts:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_are_as_the_server_allows() {
    let mut strict = Options { delivers: false, ..Options::default() };
    strict.webhooks.policy = UrlPolicy { allow_http: false, allow_private: false };
    World::run_with(strict, async |world| {
        let client = world.client.clone();
        let (made, _) = client.create_endpoint(notify::endpoint("https://example.com")).await;
        for bad in ["http://example.com", "https://127.0.0.1", "https://[fe80::1]", "https://a@b.c"]
        {
            let refused = client.try_create_endpoint(notify::endpoint(bad)).await;
            assert_eq!(say::bad_fields(&refused.expect_err(bad)), ["url"], "{bad}");
            let update = pb::UpdateWebhookEndpointRequest {
                url: bad.to_owned(),
                ..notify::update(&made.id, &["url"])
            };
            let refused = client.try_update_endpoint(update).await;
            assert_eq!(say::bad_fields(&refused.expect_err(bad)), ["url"], "{bad}");
        }
        assert_eq!(client.endpoints().await, [made]);
        // What a replica that allows more has taken stays, and can be changed.
        let lax = world.another(&Options { delivers: false, ..Options::default() }).await;
        let inside = notify::endpoint("http://127.0.0.1:9/");
        let (made, _) = lax.client().create_endpoint(inside).await;
        assert!(client.disable(&made.id, true).await.disabled);
        lax.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_make_one_endpoint_and_sixteen_at_most() {
    World::run_silent(async |world| {
        let other = world.another(&world.options).await;
        let clients = [world.client.clone(), other.client()];
        let ask = |n: usize| {
            let url = format!("https://example.com/{}", n / 2);
            let request_id = format!("r{}", n / 2);
            pb::CreateWebhookEndpointRequest { request_id, ..notify::endpoint(&url) }
        };
        let calls = (0..40).map(|n| {
            let client = clients[n % 2].clone();
            async move { client.try_create_endpoint(ask(n)).await }
        });
        let answers = futures_util::future::join_all(calls).await;
        let made = answers.iter().flatten().filter(|answer| !answer.replayed).count();
        let replayed = answers.iter().flatten().filter(|answer| answer.replayed).count();
        assert_eq!((made, replayed), (16, 16));
        for refused in answers.into_iter().filter(Result::is_err) {
            say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        }
        assert_eq!(clients[0].endpoints().await, clients[1].endpoints().await);
        other.stop().await;
    })
    .await;
}
