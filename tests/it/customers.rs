//! Profiles of customers, and the segments they are in.

use creditd::pb;
use creditd::pb::UpsertOutcome::{Created, Rejected, Unchanged, Updated};
use futures_util::future::join_all;
use tonic::Code;

use crate::harness::campaign::profiles;
use crate::harness::{Client, World, say};

/// The ids that a list holds, page by page.
async fn listed(client: &Client, segment: &str, page_size: i32) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListCustomersRequest { segment: segment.into(), page_size, page_token };
        let page = client.try_list_customers(request).await.expect("a page");
        assert!(i32::try_from(page.customers.len()).expect("a size") <= page_size);
        ids.extend(page.customers.into_iter().map(|customer| customer.customer_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_created_replaced_and_left_alone() {
    World::run(async |world| {
        let client = world.client.clone();
        let made = client.upsert(profiles(["b", "a"], &["z", "gold", "z"])).await;
        assert_eq!(made, [Created, Created]);
        world.advance(chrono::TimeDelta::hours(1)).await;
        let again = client.upsert(profiles(["a", "b", "c"], &["gold", "z"])).await;
        assert_eq!(again, [Unchanged, Unchanged, Created]);
        assert_eq!(client.upsert(profiles(["a"], &["gold", "eu"])).await, [Updated]);
        let renamed =
            pb::Customer { name: "Bee".into(), ..profiles(["b"], &["gold", "z"]).remove(0) };
        assert_eq!(client.upsert(vec![renamed]).await, [Updated]);
        let request = |id: &str| pb::GetCustomerRequest { customer_id: id.into() };
        let expected = pb::Customer {
            customer_id: "a".into(),
            name: "a".into(),
            segments: say::names(&["eu", "gold"]),
            created_at: say::hour(0),
            updated_at: say::hour(1),
        };
        assert_eq!(client.try_get_customer(request("a")).await.expect("a profile"), expected);
        assert_eq!(client.try_get_customer(request("b")).await.expect("a profile").name, "Bee");
        for (segment, ids) in [
            ("", &["a", "b", "c"][..]),
            ("gold", &["a", "b", "c"]),
            ("z", &["b", "c"]),
            ("eu", &["a"]),
            ("nobody", &[]),
        ] {
            for page_size in [1, 2, 100] {
                assert_eq!(listed(&client, segment, page_size).await, ids, "{segment}");
            }
        }
        // They have no credits for it, and need none.
        client.grant(say::units("rich", "1")).await;
        let unknown = client.try_get_customer(request("rich")).await;
        say::refused(unknown, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(client.balance("a").await.revision, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_profile_costs_no_good_one() {
    World::run(async |world| {
        let client = &world.client;
        let mut sent = profiles(["a", "", "b", "c", " d", "e"], &["s"]);
        sent[2].segments = (0..51).map(|n| n.to_string()).collect();
        sent[3].segments = say::names(&["s", "", "t\n"]);
        sent[3].name = "x".repeat(1_001);
        sent[5].segments = (0..50).map(|n| n.to_string()).collect();
        let answers = client.try_upsert(vec![sent]).await.expect("answers");
        let results = &answers[0].results;
        let expected: [(&str, _, &[&str]); 6] = [
            ("a", Created, &[]),
            ("", Rejected, &["customer_id"]),
            ("b", Rejected, &["segments"]),
            ("c", Rejected, &["name", "segments[1]", "segments[2]"]),
            (" d", Rejected, &["customer_id"]),
            ("e", Created, &[]),
        ];
        assert_eq!(results.len(), expected.len());
        for (result, (id, outcome, fields)) in results.iter().zip(expected) {
            assert_eq!((&*result.customer_id, result.outcome()), (id, outcome));
            let named = result.error.as_ref().map(|error| say::bad_fields(&say::status(error)));
            assert_eq!(named.unwrap_or_default(), fields);
        }
        assert_eq!(listed(client, "", 10).await, ["a", "e"]);
    })
    .await;
}

/// What comes later stays: in one message, in the next one, in another order.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_twice_is_written_twice() {
    World::run(async |world| {
        let client = &world.client;
        let sent = [
            profiles(["a"], &["one"]),
            profiles(["b", "a"], &["two"]),
            profiles(["a"], &["two"]),
            profiles(["a"], &["three"]),
        ]
        .concat();
        let outcomes = client.upsert(sent).await;
        assert_eq!(outcomes, [Created, Created, Updated, Unchanged, Updated]);
        let messages = vec![profiles(["a"], &["four"]), profiles(["a"], &["five"])];
        client.try_upsert(messages).await.expect("answers");
        for (segment, ids) in [("one", &[][..]), ("two", &["b"]), ("four", &[]), ("five", &["a"])] {
            assert_eq!(listed(client, segment, 10).await, ids, "{segment}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_one_to_a_thousand_customers() {
    World::run(async |world| {
        let client = &world.client;
        let ids: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
        let all = || profiles(ids.iter().map(String::as_str), &["s"]);
        for bad in [Vec::new(), all()] {
            let told = client.try_upsert(vec![bad]).await.expect_err("refused");
            assert_eq!(say::bad_fields(&told), ["customers"]);
        }
        // What was answered before is done.
        let told = client.try_upsert(vec![all()[..1_000].to_vec(), Vec::new()]).await;
        assert_eq!(say::bad_fields(&told.expect_err("refused")), ["customers"]);
        assert_eq!(listed(client, "s", 1_000).await.len(), 1_000);
    })
    .await;
}

/// The members of segments are what profiles say, whoever writes the same ones at once.
#[tokio::test(flavor = "multi_thread")]
async fn two_write_the_same_profiles() {
    World::run(async |world| {
        let other = world.another(&world.options).await;
        let ids: Vec<String> = (0..400).map(|n| format!("c{n}")).collect();
        let clients = [world.client.clone(), other.client()];
        let writers = (0..6).map(|n: usize| {
            let (client, mut ids) = (clients[n % 2].clone(), ids.clone());
            if n >= 3 {
                ids.reverse();
            }
            async move {
                for round in 0..5 {
                    let segments = [format!("w{n}"), format!("r{}", (round + n) % 4)];
                    let segments = [&*segments[0], &*segments[1]];
                    client.upsert(profiles(ids.iter().map(String::as_str), &segments)).await;
                }
            }
        });
        join_all(writers).await;
        assert_eq!(listed(&world.client, "", 1_000).await.len(), 400);
        other.stop().await;
    })
    .await;
}
