//! 10,000 open holds.

use creditd::limits;
use creditd::pb;
use futures_util::StreamExt as _;
use futures_util::stream;
use tonic::Code;

use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_at_most_10_000_open_holds() {
    World::run(async |world| {
        let client = world.client.clone();
        client.grant(say::units("acme", "100000")).await;
        // What has ended does not count.
        let hold = |n: usize| say::hold("acme", &format!("h{n}"), "m", "1");
        client.hold(hold(0)).await;
        client.release("acme", "h0").await;
        let make = |n| client.try_hold(hold(n));
        let more = limits::OPEN_HOLDS_MAX + 2;
        let answers: Vec<_> =
            stream::iter(1..=more).map(make).buffer_unordered(1_000).collect().await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(refused.len(), 2);
        for refused in refused {
            let status = say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
            let metadata = say::metadata(&status);
            assert_eq!((&*metadata["limit"], &*metadata["name"]), ("10000", "open_holds"));
        }
        // Before what depends on credits; behind the key.
        let refused = client.try_hold(say::hold("acme", "large", "m", "1000000")).await;
        say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        let one = made.into_iter().next().expect("one").expect("a hold").hold.expect("a hold");
        let again = say::hold("acme", &one.hold_id, "m", "1");
        assert!(client.try_hold(again).await.expect("a replay").replayed);
        client.grant(say::units("umbrella", "1")).await;
        client.hold(say::hold("umbrella", "h1", "m", "1")).await;
        // One ends, and there is room for one; all end at once.
        client.settle(say::settle("acme", &one.hold_id, "1")).await;
        client.hold(say::hold("acme", "more", "m", "1")).await;
        world.advance(limits::HOLD_TTL_DEFAULT).await;
        let total = client.balance("acme").await.totals.remove(0);
        let expected = pb::BalanceTotal {
            r#type: pb::GrantType::Units.into(),
            available: "99999".into(),
            held: "0".into(),
            remaining: "99999".into(),
            ..Default::default()
        };
        assert_eq!(total, expected);
    })
    .await;
}
