//! Grants of an import, held, and voided together.

use creditd::pb;

use super::{hold, stands, story};
use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn a_void_of_an_import_leaves_what_is_held() {
    World::run(async |world| {
        let client = world.client.clone();
        let rows = ["10", "5", "3"].map(|amount| say::row("acme", amount)).to_vec();
        let made = client.import("i1", rows.clone()).await;
        let id = |n: usize| made.results[n].grant_id.clone();
        client.hold(hold("h1", "12", 60)).await;
        // All of the first, two of the second, nothing of the third.
        let told = client.try_void_import("i1", "a mistake").await.expect("a void");
        let last = told.last().expect("a report");
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (3, 0, "6"));
        let figures = async || {
            let mut figures = Vec::new();
            for n in 0..3 {
                let grant = client.fetch(&id(n)).await;
                assert_eq!(grant.status(), pb::GrantStatus::Voided);
                figures.push(format!("{}, {} voided", grant.held, grant.voided));
            }
            figures
        };
        assert_eq!(figures().await, ["10, 0 voided", "2, 3 voided", "0, 3 voided"]);
        // Skipped from now on, whatever is held.
        let told = client.try_void_import("i1", "again").await.expect("a void");
        let last = told.last().expect("a report");
        assert_eq!((last.voided, last.skipped, last.amount_voided.as_str()), (0, 3, "0"));
        let (held, event) = client.settle(say::settle("acme", "h1", "4")).await;
        assert_eq!(stands(&held), "SETTLED 12: 0 held, 4 settled, 8 released");
        assert_eq!(say::paid(&event.allocations), [(&*id(0), "4")]);
        assert_eq!(figures().await, ["0, 6 voided", "0, 5 voided", "0, 3 voided"]);
        let told = [
            "6 VOIDED 0 -> 10, held 0 -> 10",
            "7 VOIDED -3 -> 2, held 0 -> 2",
            "8 VOIDED -3 -> 0, held 0 -> 0",
            "9 CONSUMED -4 -> 6, held -4 -> 6",
            "10 HOLD_RELEASED 0 -> 6, held -6 -> 0",
            "11 VOIDED -6 -> 0, held 0 -> 0",
            "12 HOLD_RELEASED 0 -> 2, held -2 -> 0",
            "13 VOIDED -2 -> 0, held 0 -> 0",
        ];
        assert_eq!(story(world).await[5..], told);
        let reasons: Vec<_> =
            client.ledger("acme").await[5..].iter().map(|entry| entry.reason.clone()).collect();
        assert_eq!(reasons[..3], ["a mistake", "a mistake", "a mistake"]);
        // The file again makes nothing.
        assert_eq!(client.import("i1", rows).await.duplicates, 3);
    })
    .await;
}
