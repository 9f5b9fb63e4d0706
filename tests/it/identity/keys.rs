//! Keys: those that open, and those that do not.

use chrono::TimeDelta;
use creditd::domain::identity::{KeyId, KeyText, Role};
use creditd::pb;
use tonic::Code;

use super::{asks, call, guarded, key, lasting, with};
use crate::harness::wait::until;
use crate::harness::{Options, World};

const BALANCE: &str = "/credits.v1.CreditService/GetBalance";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_opens_everywhere_and_at_once() {
    World::run_with(guarded(), async |world| {
        let other = world.another(&guarded()).await;
        let key = key(&world.database, "reports", Role::Reader).await;
        for client in [&world.client, &other.client()] {
            until("it opens", async || asks(client, &key).await == Code::Ok).await;
        }
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_opens_nothing() {
    World::run_with(guarded(), async |world| {
        let good = key(&world.database, "reports", Role::Reader).await;
        until("it opens", async || asks(&world.client, &good).await == Code::Ok).await;
        let good = good.reveal().to_owned();
        let other = KeyText::fresh().expect("randomness");
        let (id, _) = good["creditd_".len()..].split_once('_').expect("an id");
        let (_, secret) = other.reveal()["creditd_".len()..].split_once('_').expect("a secret");
        let upper = format!("creditd_{}_{}", id.to_uppercase(), &good[good.len() - 43..]);
        let refused = [
            String::new(),
            "Bearer".into(),
            "Bearer ".into(),
            good.clone(),
            format!("Basic {good}"),
            format!("Bearer {}", &good[..good.len() - 1]),
            format!("Bearer {good}A"),
            format!("Bearer {good}=="),
            format!("Bearer {upper}"),
            format!("Bearer creditd_{id}_"),
            format!("Bearer creditd_{id}_{secret}"),
            format!("Bearer {}", other.reveal()),
            format!("Bearer creditd__{secret}"),
            format!("Bearer {}", "creditd_".repeat(500)),
        ];
        for header in &refused {
            let status = call(world, BALANCE, Some(header)).await;
            assert_eq!(status.code(), Code::Unauthenticated, "{header}");
            assert!(!status.message().contains(secret), "{header}");
        }
        // An empty request is bad, but its caller is known.
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let status = call(world, BALANCE, Some(&format!("{scheme} {good}"))).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{scheme}");
        }
    })
    .await;
}

/// Of two nobody knows which one others on the way have looked at.
#[tokio::test(flavor = "multi_thread")]
async fn two_keys_open_nothing() {
    World::run_with(guarded(), async |world| {
        let key = key(&world.database, "reports", Role::Reader).await;
        let request = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
        let mut request = with(request, &key);
        let again = request.metadata().get("authorization").expect("a key").clone();
        request.metadata_mut().append("authorization", again);
        let refused = world.client.credits.get_balance(request).await.expect_err("no answer");
        assert_eq!(refused.code(), Code::Unauthenticated);
    })
    .await;
}

/// All who send keys that nobody knows wait for one reading together.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_opens_at_once_whoever_makes_keys_up() {
    World::run_with(guarded(), async |world| {
        for _ in 0..5 {
            let made_up = (0..20).map(|_| KeyText::fresh().expect("randomness"));
            let made_up: Vec<_> = made_up.collect();
            let refused = made_up.iter().map(|key| asks(&world.client, key));
            let refused = futures_util::future::join_all(refused);
            let new = async {
                let new = key(&world.database, "reports", Role::Reader).await;
                asks(&world.client, &new).await
            };
            let (refused, new) = tokio::join!(refused, new);
            assert_eq!(new, Code::Ok);
            assert!(refused.iter().all(|code| *code == Code::Unauthenticated), "{refused:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_opens_nothing() {
    World::run_with(guarded(), async |world| {
        let day = Some(TimeDelta::days(1));
        let key = lasting(&world.database, "reports", Role::Reader, day).await;
        until("it opens", async || asks(&world.client, &key).await == Code::Ok).await;
        // The test clock is nothing to it, PostgreSQL's is.
        let sql = world.database.connect().await;
        let pass = "UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = $1::text::uuid";
        assert_eq!(sql.execute(pass, &[&key.id.to_string()]).await.expect("a key"), 1);
        until("it is closed", async || asks(&world.client, &key).await == Code::Unauthenticated)
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_key_does_not_open() {
    World::run_with(guarded(), async |world| {
        let key = key(&world.database, "reports", Role::Reader).await;
        let sql = world.database.connect().await;
        let row = "SELECT api_keys::text FROM api_keys WHERE id = $1::text::uuid";
        let row: String = sql.query_one(row, &[&key.id.to_string()]).await.expect("a key").get(0);
        let (_, secret) = key.reveal()["creditd_".len()..].split_once('_').expect("a secret");
        assert!(!row.contains(secret), "{row}");
        assert!(!format!("{key:?}").contains(secret));
        assert!(key.reveal().parse::<KeyId>().is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_identity_keys_are_not_looked_at() {
    World::run_with(Options::default(), async |world| {
        let made_up = KeyText::fresh().expect("randomness");
        assert_eq!(asks(&world.client, &made_up).await, Code::Ok);
        assert_eq!(call(world, BALANCE, Some("nonsense")).await.code(), Code::InvalidArgument);
    })
    .await;
}
