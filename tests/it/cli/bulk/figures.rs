//! Whatever goes in comes out: random rows are imported, exported, and imported elsewhere.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Folder, column, counts, import, records};
use crate::cli::run;
use crate::harness::World;

const COLUMNS: [&str; 11] = [
    "customer_id",
    "type",
    "amount",
    "currency",
    "metrics",
    "priority",
    "category",
    "effective_at",
    "expires_at",
    "description",
    "metadata",
];
const ROWS: usize = 60;
const FILES: u64 = 6;

/// What callers may write: anything but control characters, and no space at either end.
fn id() -> impl Strategy<Value = String> {
    "[-=+@'\";,a-z漢é][-=+@'\";, a-z漢é]{0,6}[-=+@'\";,a-z漢é]"
}

fn note() -> impl Strategy<Value = String> {
    "[-=+@'\";,\r\n\t a-z漢é]{0,8}|-[0-9]{1,3}"
}

prop_compose! {
    fn row()(
        customer in id(),
        money in any::<bool>(),
        (whole, cents) in (1_u64..1_000_000_000, 0_u8..100),
        metrics in prop::collection::btree_set(id(), 0..4),
        priority in 0_u8..=100,
        category in prop::sample::select(vec!["", "promotional", "purchased", "loyalty", "service"]),
        starts in 0_u32..28,
        ends in prop::option::of(0_u32..28),
        description in note(),
        metadata in prop::collection::btree_map("[-=a-z.漢]{1,5}", note(), 0..4),
    ) -> Vec<String> {
        let cents = if money { format!("{cents:02}") } else { format!("{}", cents / 10 * 10 + 1) };
        let list = if money { String::new() } else { list(&metrics.into_iter().collect::<Vec<_>>()) };
        let json = if metadata.is_empty() { String::new() } else { serde_json::to_string(&metadata).unwrap() };
        vec![
            customer,
            (if money { "monetary" } else { "units" }).to_owned(),
            format!("{whole}.{cents}"),
            (if money { "USD" } else { "" }).to_owned(),
            list,
            priority.to_string(),
            category.to_owned(),
            format!("2026-01-{:02}T00:00:00.500Z", starts + 1),
            ends.map(|day| format!("2027-02-{:02}T12:00:00Z", day + 1)).unwrap_or_default(),
            description,
            json,
        ]
    }
}

/// Names as one cell: a CSV of its own, with semicolons.
fn list(names: &[String]) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    if !names.is_empty() {
        writer.write_record(names).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap().trim_end_matches('\n').to_owned()
}

/// What a spreadsheet would be given for a text.
fn cell(text: &str) -> String {
    let rest = text.trim_start_matches('\'');
    let number = text
        .strip_prefix('-')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    let formula = rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if formula && !number { format!("'{text}") } else { text.to_owned() }
}

fn file(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).unwrap();
    for row in rows {
        writer.write_record(row.iter().map(|text| cell(text))).unwrap();
    }
    writer.into_inner().unwrap()
}

/// The columns of an import that an export has, in the rows' order.
async fn exported(world: &World, import_id: &str) -> (String, Vec<Vec<String>>) {
    let said = run(world, &format!("export grants --import-id {import_id}")).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let all = records(&said.out);
    let numbers: Vec<usize> =
        column(&all, "import_row").iter().map(|n| n.parse().unwrap()).collect();
    let mut rows: Vec<(usize, Vec<String>)> =
        numbers.into_iter().zip(all[1..].iter().map(|row| row[..COLUMNS.len()].to_vec())).collect();
    assert_eq!(all[0][..COLUMNS.len()], COLUMNS);
    rows.sort();
    (said.out, rows.into_iter().map(|(_, row)| row).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_in_comes_out() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let files: Vec<Vec<Vec<String>>> = (0..FILES)
        .map(|_| prop::collection::vec(row(), ROWS).new_tree(&mut runner).unwrap().current())
        .collect();
    World::run(async |world| {
        World::run(async |other| {
            let folder = Folder::new();
            for (number, rows) in files.iter().enumerate() {
                let path = folder.write("in.csv", file(rows));
                let (code, told) = import(world, &format!("{path} --import-id i{number}")).await;
                assert_eq!((code, counts(&told)), (Some(0), (60, 0, 0)), "{told}");
                let (text, found) = exported(world, &format!("i{number}")).await;
                let sent: Vec<Vec<String>> =
                    rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
                assert_eq!(found, sent);

                // Elsewhere rows have the numbers of their places in the export.
                let path = folder.write("out.csv", text);
                let (code, told) = import(other, &format!("{path} --import-id j{number}")).await;
                assert_eq!((code, counts(&told)), (Some(0), (60, 0, 0)), "{told}");
                let (_, mut again) = exported(other, &format!("j{number}")).await;
                let mut sent = found;
                again.sort();
                sent.sort();
                assert_eq!(again, sent);
            }
        })
        .await;
    })
    .await;
}
