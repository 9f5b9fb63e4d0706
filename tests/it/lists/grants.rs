//! ListGrants.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use creditd::pb::{self, GrantStatus};

use crate::harness::{World, say, t0};

type List = pb::ListGrantsRequest;

/// All pages of a list, and the sizes of the pages.
async fn pages(world: &World, list: &List) -> (Vec<pb::Grant>, Vec<usize>) {
    let (mut all, mut sizes, mut list) = (Vec::new(), Vec::new(), list.clone());
    loop {
        let page = world.client.try_list_grants(list.clone()).await.expect("a page");
        sizes.push(page.grants.len());
        all.extend(page.grants);
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            return (all, sizes);
        }
    }
}

async fn listed(world: &World, list: List) -> Vec<String> {
    let page = world.client.try_list_grants(list).await.expect("a list");
    assert_eq!(page.next_page_token, "");
    page.grants.into_iter().map(|grant| grant.description).collect()
}

/// One grant of every kind, named by its description, an hour between one and the next.
async fn one_of_each(world: &mut World) {
    let client = world.client.clone();
    let units = |name: &str, metrics: &[&str], expires_at| pb::CreateGrantRequest {
        description: name.into(),
        metrics: say::names(metrics),
        expires_at,
        ..say::units("acme", "10")
    };
    let money = |name: &str, currency, expires_at| pb::CreateGrantRequest {
        description: name.into(),
        expires_at,
        ..say::money("acme", "10", currency)
    };
    let asked = [
        units("open", &[], None),
        units("tied", &["a", "b"], say::hour(100)),
        units("tied too", &["b"], say::hour(101)),
        money("dollars", "USD", None),
        money("euros", "EUR", say::hour(100)),
        pb::CreateGrantRequest {
            customer_id: "umbrella".into(),
            ..units("theirs", &["a"], say::hour(200))
        },
    ];
    for request in asked {
        client.grant(request).await;
        world.advance(TimeDelta::hours(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_filters() {
    World::run(async |world| {
        one_of_each(world).await;
        let acme = List { customer_id: "acme".into(), ..Default::default() };
        let kind = |kind: pb::GrantType| List { r#type: kind.into(), ..acme.clone() };
        let currency = |code: &str| List { currency: code.into(), ..acme.clone() };
        let metric = |name: &str| List { metric: name.into(), ..acme.clone() };
        let cases: Vec<(List, &[&str])> = vec![
            (List::default(), &["open", "tied", "tied too", "dollars", "euros", "theirs"]),
            (acme.clone(), &["open", "tied", "tied too", "dollars", "euros"]),
            (List { customer_id: "umbrella".into(), ..Default::default() }, &["theirs"]),
            (kind(pb::GrantType::Units), &["open", "tied", "tied too"]),
            (kind(pb::GrantType::Monetary), &["dollars", "euros"]),
            (currency("USD"), &["dollars"]),
            (currency("JPY"), &[]),
            (metric("a"), &["tied"]),
            (metric("b"), &["tied", "tied too"]),
            (metric("c"), &[]),
            (List { metric: "a".into(), ..Default::default() }, &["tied", "theirs"]),
            (List { currency: "USD".into(), metric: "a".into(), ..acme.clone() }, &[]),
            (List { currency: "USD".into(), ..kind(pb::GrantType::Units) }, &[]),
            (List { expires_before: say::hour(100), ..acme.clone() }, &[]),
            (List { expires_before: say::hour(101), ..acme.clone() }, &["tied", "euros"]),
            (
                List { expires_before: say::hour(101), currency: "EUR".into(), ..acme.clone() },
                &["euros"],
            ),
            (List { created_after: say::hour(3), ..acme.clone() }, &["dollars", "euros"]),
            (List { created_before: say::hour(1), ..acme.clone() }, &["open"]),
            (
                List { created_after: say::hour(1), created_before: say::hour(3), ..acme.clone() },
                &["tied", "tied too"],
            ),
        ];
        for (list, expected) in cases {
            assert_eq!(listed(world, list.clone()).await, expected, "{list:?}");
        }
    })
    .await;
}

/// By every status and every pair of them; the expired one has not been booked by anybody.
#[tokio::test(flavor = "multi_thread")]
async fn each_status_is_found() {
    World::run(async |world| {
        let client = world.client.clone();
        let made = |name: &str| pb::CreateGrantRequest {
            description: name.into(),
            ..say::units("acme", "10")
        };
        client
            .grant(pb::CreateGrantRequest { effective_at: say::hour(9), ..made("pending") })
            .await;
        client.grant(pb::CreateGrantRequest { priority: Some(90), ..made("active") }).await;
        client.grant(pb::CreateGrantRequest { priority: Some(0), ..made("exhausted") }).await;
        client.grant(pb::CreateGrantRequest { expires_at: say::hour(1), ..made("expired") }).await;
        let voided = client.grant(made("voided")).await;
        let voided_at_its_end =
            pb::CreateGrantRequest { expires_at: say::hour(1), ..made("voided at its end") };
        let voided_at_its_end = client.grant(voided_at_its_end).await;
        client.void(&voided.id, "r").await;
        client.void(&voided_at_its_end.id, "r").await;
        client.record(say::usage("acme", "e1", "m", "10")).await;

        world.only_clock_to(t0() + TimeDelta::hours(1));
        let names: [(GrantStatus, &[&str]); 5] = [
            (GrantStatus::Pending, &["pending"]),
            (GrantStatus::Active, &["active"]),
            (GrantStatus::Exhausted, &["exhausted"]),
            (GrantStatus::Expired, &["expired"]),
            (GrantStatus::Voided, &["voided", "voided at its end"]),
        ];
        for booked in [false, true] {
            for (one, first) in names {
                for (other, second) in names {
                    let statuses = vec![one.into(), other.into(), one.into()];
                    let list = List { customer_id: "acme".into(), statuses, ..Default::default() };
                    let found: BTreeSet<_> = listed(world, list).await.into_iter().collect();
                    let expected: BTreeSet<_> =
                        first.iter().chain(second).map(|name| (*name).to_owned()).collect();
                    assert_eq!(found, expected, "{one:?} {other:?}, booked: {booked}");
                }
            }
            world.advance_to(t0() + TimeDelta::hours(1)).await;
        }
    })
    .await;
}

/// Every size covers everything exactly once, by created_at and id.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_cover_everything_once() {
    World::run(async |world| {
        for n in 0..25 {
            // Many of the same instant.
            if n % 10 == 0 {
                world.advance(TimeDelta::microseconds(1)).await;
            }
            let customer = if n % 2 == 0 { "acme" } else { "umbrella" };
            world.client.grant(say::units(customer, "1")).await;
        }
        let list = List { page_size: 1_000, ..Default::default() };
        let (all, sizes) = pages(world, &list).await;
        assert_eq!(sizes, [25]);
        let key = |grant: &pb::Grant| (say::instant(grant.created_at.as_ref()), grant.id.clone());
        assert!(all.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])), "{all:?}");
        for (page_size, expected) in [
            (1, vec![1; 25]),
            (2, [vec![2; 12], vec![1]].concat()),
            (5, vec![5; 5]),
            (25, vec![25]),
        ] {
            let (same, sizes) = pages(world, &List { page_size, ..list.clone() }).await;
            assert_eq!((&same, sizes), (&all, expected));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_100_unless_asked_and_1000_at_most() {
    World::run(async |world| {
        let made = (0..1_001).map(|_| world.client.grant(say::units("acme", "1")));
        futures_util::future::join_all(made).await;
        let of = |page_size| List { customer_id: "acme".into(), page_size, ..Default::default() };
        let (all, sizes) = pages(world, &of(i32::MAX)).await;
        assert_eq!(sizes, [1_000, 1]);
        assert_eq!(all.iter().map(|grant| &grant.id).collect::<BTreeSet<_>>().len(), 1_001);
        assert_eq!(pages(world, &of(1_001)).await, (all.clone(), vec![1_000, 1]));
        let (same, sizes) = pages(world, &of(0)).await;
        assert_eq!((same, sizes), (all, [vec![100; 10], vec![1]].concat()));
    })
    .await;
}

/// What was there when the first page was read is listed once, whatever is made meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn grants_made_meanwhile_do_not_disturb_the_pages() {
    World::run(async |world| {
        let client = world.client.clone();
        for _ in 0..12 {
            client.grant(say::units("acme", "1")).await;
        }
        let mut list = List { customer_id: "acme".into(), page_size: 2, ..Default::default() };
        let (all, _) = pages(world, &list).await;
        let mut seen = Vec::new();
        for round in 0.. {
            let page = client.try_list_grants(list.clone()).await.expect("a page");
            seen.extend(page.grants.into_iter().map(|grant| grant.id));
            list.page_token = page.next_page_token;
            if list.page_token.is_empty() {
                break;
            }
            if round < 4 {
                world.advance(TimeDelta::microseconds(round)).await;
                client.grant(say::units("acme", "1")).await;
                // What changes on a grant does not move it.
                let update = pb::UpdateGrantRequest {
                    priority: Some(1),
                    ..say::update(&all[11].id, &["priority"])
                };
                client.update(update).await;
            }
        }
        let before: Vec<_> = all.into_iter().map(|grant| grant.id).collect();
        assert_eq!(seen[..12], before);
        assert_eq!(seen.len(), 16);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 16);
    })
    .await;
}
