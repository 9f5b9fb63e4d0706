//! 10,000 open grants.

use creditd::limits;
use creditd::pb;
use futures_util::StreamExt as _;
use futures_util::stream;
use tonic::Code;

use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_at_most_10_000_open_grants() {
    World::run(async |world| {
        let client = world.client.clone();
        // Pending grants are open, too; ended ones are not.
        let gone = client.grant(say::units("acme", "1")).await;
        client.void(&gone.id, "r").await;
        let pending =
            pb::CreateGrantRequest { effective_at: say::hour(1), ..say::units("acme", "1") };
        client.grant(pending).await;
        let repeated = say::units("acme", "2");
        client.grant(repeated.clone()).await;
        let make = |_| client.try_grant(say::units("acme", "1"));
        let more = limits::OPEN_GRANTS_MAX - 2 + 3;
        let answers: Vec<_> =
            stream::iter(0..more).map(make).buffer_unordered(1_000).collect().await;
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 3);
        for status in refused {
            let status =
                say::refused(Err::<(), _>(status), Code::FailedPrecondition, "LIMIT_EXCEEDED");
            let metadata = say::metadata(&status);
            let told = |key| metadata.get(key).map(String::as_str);
            assert_eq!((told("limit"), told("name")), (Some("10000"), Some("open_grants")));
        }
        assert_eq!(client.balance("acme").await.revision, 2 + 10_000);

        // What is refused is refused by validate_only; a repetition is not; nor are others.
        let trial = pb::CreateGrantRequest { validate_only: true, ..say::units("acme", "1") };
        let refused = client.try_grant(trial).await;
        say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
        assert!(client.try_grant(repeated).await.expect("a replay").replayed);
        client.grant(say::units("umbrella", "1")).await;

        // One ends, and there is room for one.
        let event = client.record(say::usage("acme", "e1", "m", "2")).await;
        assert_eq!(event.allocations.len(), 1);
        client.grant(say::units("acme", "1")).await;
        let refused = client.try_grant(say::units("acme", "1")).await;
        say::refused(refused, Code::FailedPrecondition, "LIMIT_EXCEEDED");
    })
    .await;
}
