//! Many deliveries, many endpoints, many replicas.

use creditd::limits;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Post, at_once, ids, until_counted};
use crate::harness::receiver::{Answer, Receiver};
use crate::harness::{Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_holds_up_nobody_else() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let [hanging, well] = [Receiver::answering(Answer::Hang).await, Receiver::start().await];
        let held_up = post.endpoint(&hanging.url()).await;
        post.deliveries(held_up, 1_000).await;
        hanging.until_seen(limits::DELIVERIES_IN_FLIGHT).await;
        let endpoint = post.endpoint(&well.url()).await;
        post.deliveries(endpoint, 1_000).await;
        post.until_delivered(endpoint, 1_000).await;
        let (ids, seen) = ids(&well);
        assert_eq!((ids.len(), seen), (1_000, 1_000));
        assert_eq!(post.delivered(held_up).await, 0);
        assert_eq!(hanging.seen().len(), limits::DELIVERIES_IN_FLIGHT, "no more at a time");
    })
    .await;
}

/// Attempts may take half a minute here, and are cut off.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_does_not_hold_up_the_end() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let [hanging, well] = [Receiver::answering(Answer::Hang).await, Receiver::start().await];
        let other = world.another(&world.options).await;
        let endpoint = post.endpoint(&hanging.url()).await;
        post.deliveries(endpoint, 100).await;
        hanging.until_seen(1).await;
        post.delivery(post.endpoint(&well.url()).await, "{}").await;
        well.until_seen(1).await;
        timeout(Options::default().grace, other.stop()).await.expect("an end");
        assert_eq!(post.delivered(endpoint).await, 0);
    })
    .await;
}

/// Receivers hold everything until both replicas have their hands full.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_deliver_everything_once() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let other = world.another(&world.options).await;
        let both = CancellationToken::new();
        let receiver = Receiver::answering(Answer::Wait(both.clone())).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        post.deliveries(endpoint, 2_000).await;
        receiver.until_seen(2 * limits::DELIVERIES_IN_FLIGHT).await;
        both.cancel();
        post.until_delivered(endpoint, 2_000).await;
        let (ids, seen) = ids(&receiver);
        assert_eq!((ids.len(), seen), (2_000, 2_000));
        other.stop().await;
    })
    .await;
}

/// A worker comes and goes with its endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_or_deleted_hears_nothing() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        let endpoint = post.endpoint(&receiver.url()).await;
        post.after(post.delivery(endpoint, "{}").await, 1).await;
        for column in ["disabled_at", "deleted_at"] {
            post.set(endpoint, &format!("{column} = now()")).await;
            let waiting = post.delivery(endpoint, "{}").await;
            let other = post.endpoint(&receiver.url()).await;
            post.after(post.delivery(other, "{}").await, 1).await;
            assert_eq!(post.row(waiting).await.attempts, 0, "{column}");
            post.set(endpoint, &format!("{column} = NULL")).await;
            assert_eq!(post.after(waiting, 1).await, at_once());
        }
    })
    .await;
}

/// A replica that is told so delivers nothing, and another does.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_may_leave_it_to_others() {
    let options = Options { delivers: false, ..Default::default() };
    World::run_with(options, async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        let delivery = post.delivery(post.endpoint(&receiver.url()).await, "{}").await;
        let other = world.another(&Options::default()).await;
        assert_eq!(post.after(delivery, 1).await, at_once());
        until_counted(&other, |counted| counted.attempts == 1).await;
        assert_eq!(world.server.delivered().attempts, 0);
        other.stop().await;
    })
    .await;
}
