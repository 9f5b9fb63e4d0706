//! `creditd void`.

use creditd::pb;
use creditd::pb::import_grants_request::Message;
use serde_json::json;

use super::{says, tells};
use crate::harness::{World, say};

/// Imports two grants of units.
async fn import(world: &World) {
    let row =
        |amount| pb::CreateGrantRequest { request_id: String::new(), ..say::units("acme", amount) };
    let rows = vec![row("100"), row("20.5")];
    let header = pb::ImportHeader { import_id: "march".to_owned(), dry_run: false };
    let messages =
        [Message::Header(header), Message::Batch(pb::ImportBatch { first_row: 1, rows })]
            .map(|message| pb::ImportGrantsRequest { message: Some(message) });
    let mut client = world.client.credits.clone();
    let answers = client.import_grants(tokio_stream::iter(messages)).await;
    let answer = answers.expect("a stream").into_inner().message().await.expect("an answer");
    assert_eq!(answer.map(|answer| answer.created), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_voided_once() {
    World::run(async |world| {
        import(world).await;
        let line = "void --import-id march --reason mistake";
        assert_eq!(says(world, line).await, "2 grants voided, 0 skipped\n  120.5 units\n");
        let told = tells(world, line).await;
        assert_eq!(told, [json!({ "skipped": "2", "amountVoided": "0" })]);
        let unknown = "import april has no grants: nothing was voided\n";
        assert_eq!(says(world, "void --import-id april --reason mistake").await, unknown);
    })
    .await;
}
