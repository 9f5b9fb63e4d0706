//! What is exported opens in a spreadsheet, and only that.

use std::fs;
use std::process::Stdio;

use creditd::pb;
use tokio::io::AsyncReadExt as _;

use super::{Folder, column, records};
use crate::cli::{command, run};
use crate::harness::{World, say};

/// What an export prints on standard output.
async fn export(world: &World, line: &str) -> Vec<Vec<String>> {
    let said = run(world, &format!("export {line}")).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.starts_with('\u{feff}'));
    records(&said.out)
}

async fn make(world: &World) -> Vec<pb::Grant> {
    let formula = pb::CreateGrantRequest {
        description: "=HYPERLINK(\"http://x\")\nline".to_owned(),
        metadata: [("plan".to_owned(), "-pro".to_owned())].into(),
        metrics: vec!["a;b".to_owned(), "tokens".to_owned()],
        ..say::units("@acme", "100")
    };
    vec![
        world.client.grant(formula).await,
        world.client.grant(say::units("globex", "5")).await,
        world.client.grant(say::money("globex", "12.50", "USD")).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_exported_with_their_figures() {
    World::run(async |world| {
        let grants = make(world).await;
        world.client.record(say::usage("@acme", "e1", "tokens", "40")).await;
        let all = export(world, "grants").await;
        let row = all.iter().find(|row| row.contains(&grants[0].id)).expect("the grant").clone();
        let one = [all[0].clone(), row];
        for (name, cell) in [
            ("customer_id", "'@acme"),
            ("type", "units"),
            ("amount", "100"),
            ("metrics", "\"a;b\";tokens"),
            ("priority", "50"),
            ("category", ""),
            ("effective_at", "2026-01-01T00:00:00Z"),
            ("description", "'=HYPERLINK(\"http://x\")\nline"),
            ("metadata", "{\"plan\":\"-pro\"}"),
            ("status", "active"),
            ("remaining", "60"),
            ("consumed", "40"),
            ("import_row", ""),
            ("campaign_id", ""),
        ] {
            assert_eq!(column(&one, name), [cell], "{name}");
        }

        for (filter, rows) in [
            ("", 3),
            ("--customer globex", 2),
            ("--type monetary", 1),
            ("--status exhausted --status voided", 0),
            ("--status active", 3),
            ("--created-before 2026-01-01", 0),
            ("--created-after 2026-01-01", 3),
            ("--import-id none", 0),
        ] {
            assert_eq!(
                export(world, format!("grants {filter}").trim_end()).await.len(),
                rows + 1,
                "{filter}"
            );
        }
        let told = tells_export(world, "grants --customer globex").await;
        assert_eq!(told.len(), 2);
        assert!(told.iter().any(|grant| grant["amount"] == "12.50"), "{told:?}");
        let bad = run(world, "export grants --as-of 2030-01-01").await;
        assert_eq!(bad.code, Some(1));
        assert!(bad.err.contains("as_of"), "{}", bad.err);
    })
    .await;
}

/// The JSON objects that an export prints.
async fn tells_export(world: &World, line: &str) -> Vec<serde_json::Value> {
    let said = run(world, &format!("export {line} --json")).await;
    said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_exported_with_numbers_for_numbers() {
    World::run(async |world| {
        make(world).await;
        world.client.record(say::usage("globex", "e1", "tokens", "2.5")).await;
        let all = export(world, "ledger").await;
        assert_eq!(all.len(), 1 + 4);
        let mine = export(world, "ledger --customer globex --type consumed").await;
        assert_eq!(column(&mine, "amount"), ["-2.5"]);
        assert_eq!(column(&mine, "balance_after"), ["2.5"]);
        assert_eq!(column(&mine, "event_id"), ["e1"]);
        assert_eq!(column(&mine, "recorded_at"), ["2026-01-01T00:00:00Z"]);
        assert_eq!(export(world, "ledger --recorded-before 2026-01-01").await.len(), 1);
        assert_eq!(tells_export(world, "ledger --type granted").await.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_appears_when_it_is_complete() {
    World::run(async |world| {
        make(world).await;
        let folder = Folder::new();
        let file = folder.write("a.csv", "what was there");
        let bad = run(
            world,
            &format!(
                "export grants --created-after 2026-02-01 --created-before 2026-01-01 -o {file}"
            ),
        )
        .await;
        assert_eq!((bad.code, folder.read("a.csv").as_str()), (Some(1), "what was there"));
        assert_eq!(says_nothing(world, &format!("export grants -o {file}")).await, "");
        let text = folder.read("a.csv");
        assert!(text.starts_with('\u{feff}'));
        assert_eq!(records(&text), export(world, "grants").await);
        assert_eq!(folder.names(), ["a.csv"]);
        assert_eq!(says_nothing(world, "export grants -o /dev/null").await, "");
        assert!(!fs::metadata("/dev/null").expect("a device").is_file());
    })
    .await;
}

async fn says_nothing(world: &World, line: &str) -> String {
    let said = run(world, line).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains(" as of 2026-01-01T00:00:00Z"), "{}", said.err);
    said.out
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_read_enough_may_go() {
    World::run(async |world| {
        let rows = (0..3_000).map(|_| say::row("acme", "1")).collect::<Vec<_>>();
        for (number, rows) in rows.chunks(1_000).enumerate() {
            world.client.import(&format!("i{number}"), rows.to_vec()).await;
        }
        let mut command = command(world.server.address, "export ledger");
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a child");
        let mut first = [0; 100];
        let mut out = child.stdout.take().expect("its output");
        out.read_exact(&mut first).await.expect("a line");
        drop(out);
        assert!(child.wait().await.expect("its end").success());
    })
    .await;
}
