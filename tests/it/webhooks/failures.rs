//! What is not delivered: when it is tried again, and when that ends.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use creditd::limits;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Post, Row, at_once, until_counted};
use crate::harness::receiver::{Answer, Receiver};
use crate::harness::{Options, World, t0};

const THREE_DAYS: TimeDelta = TimeDelta::days(3);

fn is_between(at: Option<DateTime<Utc>>, after: DateTime<Utc>, pauses: [i64; 2]) -> bool {
    let [least, most] = pauses.map(TimeDelta::milliseconds);
    at.is_some_and(|at| (after + least..=after + most).contains(&at))
}

/// The row after a first attempt at [`t0`] that failed for this reason.
fn assert_failed(row: &Row, response_status: Option<i16>, error: &str) {
    assert!(is_between(row.next_attempt_at, t0(), [2_500, 5_000]), "{row:?}");
    let expected = Row {
        status: "pending".into(),
        attempts: 1,
        response_status,
        error: Some(error.to_owned()),
        next_attempt_at: row.next_attempt_at,
        claimed: false,
    };
    assert_eq!(*row, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_failure_says_so() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let elsewhere = Receiver::start().await;
        for (answer, status, error) in [
            (Answer::Status(500), Some(500), "500 Internal Server Error"),
            (Answer::Status(404), Some(404), "404 Not Found"),
            (Answer::Status(599), Some(599), "599"),
            (Answer::With(503, "retry-after", "1".into()), Some(503), "503 Service Unavailable"),
            (
                Answer::With(302, "location", elsewhere.url()),
                Some(302),
                "redirect not followed (302)",
            ),
            (
                Answer::With(307, "location", elsewhere.url()),
                Some(307),
                "redirect not followed (307)",
            ),
            (Answer::Close, None, "connection closed"),
        ] {
            let receiver = Receiver::answering(answer).await;
            let endpoint = post.endpoint(&receiver.url()).await;
            let delivery = post.delivery(endpoint, "{}").await;
            assert_failed(&post.after(delivery, 1).await, status, error);
        }
        assert!(elsewhere.seen().is_empty(), "a redirect was followed");
        let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", nobody.local_addr().expect("an address"));
        drop(nobody);
        let delivery = post.delivery(post.endpoint(&url).await, "{}").await;
        assert_failed(&post.after(delivery, 1).await, None, "connection refused");
        let url = "http://nobody.invalid/";
        let delivery = post.delivery(post.endpoint(url).await, "{}").await;
        assert_failed(&post.after(delivery, 1).await, None, "name not resolved");
        until_counted(&world.server, |counted| counted.failed == 9).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_has_failed() {
    let mut options = Options::default();
    options.webhooks.timeout = Duration::from_secs(1);
    World::run_with(options, async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::answering(Answer::Hang).await;
        let delivery = post.delivery(post.endpoint(&receiver.url()).await, "{}").await;
        assert_failed(&post.after(delivery, 1).await, None, "timeout");
        // The status is the answer; a body that never ends does not change it.
        let stuck = Receiver::answering(Answer::Stuck).await;
        let delivery = post.delivery(post.endpoint(&stuck.url()).await, "{}").await;
        assert_eq!(post.after(delivery, 1).await, at_once());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_says_besides_its_status_changes_nothing() {
    let mut options = Options::default();
    // Longer than the test may last: it is not the timeout that ends what never ends.
    options.webhooks.timeout = Duration::from_secs(600);
    World::run_with(options, async |world| {
        let post = Post::of(&world.database).await;
        let endless = Receiver::answering(Answer::Endless).await;
        let delivery = post.delivery(post.endpoint(&endless.url()).await, "{}").await;
        assert_eq!(post.after(delivery, 1).await, at_once());
        let receiver = Receiver::answering(Answer::Status(204)).await;
        let delivery = post.delivery(post.endpoint(&receiver.url()).await, "{}").await;
        let row = post.after(delivery, 1).await;
        assert_eq!(row, Row { response_status: Some(204), ..at_once() });
    })
    .await;
}

/// Not before its time, at longer and longer intervals, until three days are over.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_tried_again_for_three_days() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        let endpoint = post.endpoint(&receiver.url()).await;
        receiver.script(|received| Answer::Status(if received.body == "bad" { 500 } else { 200 }));
        let delivery = post.delivery(endpoint, "bad").await;
        let mut row = post.after(delivery, 1).await;
        // As a batch would leave word; without it somebody looks within a second.
        let outbox = Arc::clone(world.server.engine().outbox());
        let mut pauses = vec![];
        while let Some(next) = row.next_attempt_at {
            pauses.push(next - world.now());
            world.advance_to(next - TimeDelta::milliseconds(1)).await;
            let good = post.delivery(endpoint, "good").await;
            outbox.notify_one();
            post.after(good, 1).await;
            assert_eq!(post.row(delivery).await, row, "tried before its time");
            world.advance_to(next).await;
            outbox.notify_one();
            row = post.after(delivery, row.attempts + 1).await;
        }
        assert_eq!(row.status, "parked");
        assert_eq!(row.error.as_deref(), Some("500 Internal Server Error"));
        let longest = limits::DELIVERY_PAUSE_MAX;
        let mut full = limits::DELIVERY_PAUSE_MIN;
        for pause in pauses {
            assert!((full / 2..=full).contains(&pause), "{pause} where {full} is the longest");
            full = (full * 2).min(longest);
        }
        let end = t0() + THREE_DAYS;
        assert!((end - longest..=end).contains(&world.now()), "parked at {}", world.now());
        assert_eq!(post.disabled(endpoint).await, None, "others were delivered");
        until_counted(&world.server, |counted| counted.parked == 1).await;
        // Nobody tries what is parked.
        world.advance(THREE_DAYS).await;
        let good = post.delivery(endpoint, "good").await;
        post.after(good, 1).await;
        assert_eq!(post.row(delivery).await, row);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_pause_gets_it() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        for (status, asked, pauses) in [
            (503, "3600", [3_600_000; 2]),
            (429, "Tue, 01 Jan 2126 00:00:00 GMT", [14_400_000; 2]),
            (500, "3600", [2_500, 5_000]),
        ] {
            let answer = Answer::With(status, "retry-after", asked.into());
            let receiver = Receiver::answering(answer).await;
            let delivery = post.delivery(post.endpoint(&receiver.url()).await, "{}").await;
            let row = post.after(delivery, 1).await;
            assert!(is_between(row.next_attempt_at, t0(), pauses), "{status}: {row:?}");
        }
    })
    .await;
}

/// A delivery whose first failure parks it.
async fn last_chance(post: &Post, endpoint: Uuid, at: DateTime<Utc>) -> Row {
    let delivery = post.delivery_at(endpoint, "{}", at, at).await;
    let row = post.after(delivery, 1).await;
    assert_eq!(row.status, "parked");
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_only_failed_for_three_days_is_disabled() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::answering(Answer::Status(500)).await;
        let [dead, saved] =
            [post.endpoint(&receiver.url()).await, post.endpoint(&receiver.url()).await];
        for endpoint in [dead, saved] {
            last_chance(&post, endpoint, world.now()).await;
        }
        world.advance(THREE_DAYS - TimeDelta::seconds(1)).await;
        last_chance(&post, dead, world.now()).await;
        assert_eq!(post.disabled(dead).await, None, "not three days yet");
        receiver.now(Answer::Status(200));
        post.after(post.delivery(saved, "{}").await, 1).await;
        receiver.now(Answer::Status(500));
        world.advance(TimeDelta::seconds(1)).await;
        for endpoint in [dead, saved] {
            last_chance(&post, endpoint, world.now()).await;
        }
        assert_eq!(post.disabled(dead).await.as_deref(), Some("every attempt failed for 3 days"));
        assert_eq!(post.disabled(saved).await, None);
        assert_eq!(world.server.delivered().disabled, 1);
    })
    .await;
}

/// And what was to be told waits until it is enabled again.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_disabled_at_once() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::answering(Answer::Status(410)).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        let delivery = post.delivery(endpoint, "{}").await;
        assert_failed(&post.after(delivery, 1).await, Some(410), "410 Gone");
        assert_eq!(post.disabled(endpoint).await.as_deref(), Some("410 Gone"));
        assert_eq!(world.server.delivered().disabled, 1);
        receiver.now(Answer::Status(200));
        world.advance(TimeDelta::hours(1)).await;
        let waiting = post.delivery(endpoint, "{}").await;
        // Whoever looks for work now sees all three.
        let other = post.endpoint(&receiver.url()).await;
        post.after(post.delivery(other, "{}").await, 1).await;
        assert_eq!((post.row(delivery).await.attempts, post.row(waiting).await.attempts), (1, 0));
        post.set(endpoint, "disabled_at = NULL, disabled_reason = NULL").await;
        assert_eq!(post.after(waiting, 1).await, at_once());
        assert_eq!(post.after(delivery, 2).await, Row { attempts: 2, ..at_once() });
    })
    .await;
}

/// However long it was: nothing was tried meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_who_was_disabled_has_three_days_anew() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::answering(Answer::Status(500)).await;
        let endpoint = post.endpoint(&receiver.url()).await;
        world.client.disable(&endpoint.to_string(), true).await;
        let delivery = post.delivery(endpoint, "{}").await;
        world.advance(THREE_DAYS * 2).await;
        assert_eq!(post.row(delivery).await.attempts, 0);
        world.client.disable(&endpoint.to_string(), false).await;
        let row = post.after(delivery, 1).await;
        assert!(is_between(row.next_attempt_at, world.now(), [2_500, 5_000]), "{row:?}");
        receiver.now(Answer::Status(200));
        world.advance_to(world.now() + THREE_DAYS).await;
        assert_eq!(post.after(delivery, 2).await, Row { attempts: 2, ..at_once() });
    })
    .await;
}
