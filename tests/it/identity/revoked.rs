//! Keys that are revoked: everywhere, soon, and whatever their holders do about it.

use creditd::domain::identity::{KeyText, Role};
use creditd::pb;
use tonic::Code;

use super::{asks, guarded, key, revoke, with};
use crate::harness::wait::until;
use crate::harness::{READERS, World, load, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_opens_nowhere_and_ends_its_streams() {
    World::run_with(guarded(), async |world| {
        let other = world.another(&guarded()).await;
        let gone = key(&world.database, "reports", Role::Reader).await;
        let kept = key(&world.database, "reports", Role::Reader).await;
        for client in [&world.client, &other.client()] {
            for key in [&gone, &kept] {
                until("it opens", async || asks(client, key).await == Code::Ok).await;
            }
        }
        let watch = || pb::WatchBalanceRequest { customer_ids: vec!["acme".into()] };
        let watching = |key| {
            let mut credits = other.client().credits;
            async move { credits.watch_balance(with(watch(), key)).await.expect("a stream") }
        };
        let mut ends = watching(&gone).await.into_inner();
        let mut stays = watching(&kept).await.into_inner();
        for stream in [&mut ends, &mut stays] {
            stream.message().await.expect("a state").expect("a state");
        }
        revoke(&world.database, gone.id).await;
        for client in [&world.client, &other.client()] {
            until("it is closed", async || asks(client, &gone).await == Code::Unauthenticated)
                .await;
            assert_eq!(asks(client, &kept).await, Code::Ok);
        }
        let ended = ends.message().await.expect_err("an end");
        assert_eq!(ended.code(), Code::Unauthenticated);
        let admin = key(&world.database, "admin", Role::Admin).await;
        until("it opens", async || asks(&world.client, &admin).await == Code::Ok).await;
        let grant = with(say::units("acme", "1"), &admin);
        world.client.credits.create_grant(grant).await.expect("a grant");
        stays.message().await.expect("a change").expect("a change");
        other.stop().await;
    })
    .await;
}

/// Its holder keeps all readers busy: whether a key still opens is not asked behind them.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_does_not_live_on_by_being_busy() {
    World::run_with(guarded(), async |world| {
        let gone = key(&world.database, "reports", Role::Reader).await;
        assert_eq!(asks(&world.client, &gone).await, Code::Ok);
        let locked = world.database.lock_table("grants").await;
        let busy: Vec<_> = (0..READERS).map(|_| tokio::spawn(ask(world, &gone))).collect();
        world.database.until_waiting(READERS).await;
        revoke(&world.database, gone.id).await;
        // One that nobody knows has them read.
        let unknown = KeyText::fresh().expect("randomness");
        assert_eq!(asks(&world.client, &unknown).await, Code::Unauthenticated);
        assert_eq!(asks(&world.client, &gone).await, Code::Unauthenticated);
        assert!(busy.iter().all(|call| !call.is_finished()), "they waited for the readers");
        locked.release().await;
        for call in busy {
            assert_eq!(call.await.expect("a call"), Code::Ok);
        }
    })
    .await;
}

/// Asks on its own.
fn ask(world: &World, key: &KeyText) -> impl Future<Output = Code> + use<> {
    let client = world.client.clone();
    let key = KeyText::parse(key.reveal()).expect("a key");
    async move { asks(&client, &key).await }
}

/// Whoever waits to hear of a key that nobody knows is answered, and the end waits for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_keys_is_answered_at_the_end() {
    World::run_with(guarded(), async |world| {
        let other = world.another(&guarded()).await;
        let client = other.client();
        let locked = world.database.lock_table("api_keys").await;
        let unknown = KeyText::fresh().expect("randomness");
        let request = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
        let asked = with(request, &unknown);
        let call = tokio::spawn(async move { client.credits.clone().get_balance(asked).await });
        let under_way = "creditd_calls_in_flight{method=\"credits.v1.CreditService/GetBalance\"} 1";
        until("it waits", async || other.metrics().contains(under_way)).await;
        other.stop().await;
        load::unavailable(&call.await.expect("a call").expect_err("no answer"));
        locked.release().await;
    })
    .await;
}
