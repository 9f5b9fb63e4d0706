//! Rows: good ones, bad ones, mended ones, and the same once more.

use creditd::pb::{GrantCategory, GrantType};
use serde_json::json;

use super::{Folder, column, counts, grants_of, import, records};
use crate::cli::run;
use crate::harness::{World, say};

const HEADER: &str = "amount,customer_id,type,currency,metrics,priority,category,effective_at,\
                      expires_at,description,metadata.plan";

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_cost_no_good_ones_and_are_mended() {
    World::run(async |world| {
        let folder = Folder::new();
        let rows = [
            "12.50,acme,monetary,USD,,,purchased,,,\"Order 7,\nthanks\",pro",
            "100,acme,Units,,tokens;images,7,GRANT_CATEGORY_PROMOTIONAL,2026-01-02,2026-03-31,'=1+1,",
            "100,acme,unit,,,,gift,yesterday,,,",
            "1.005,acme,monetary,USD,,,,,,,",
            "5,acme,units",
            "7,globex,units,,,,,,,,",
            "1,,units,,,200,,,,,",
        ];
        let file = folder.write("a.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
        let said = run(world, &format!("import {file} --import-id first")).await;
        assert_eq!(said.code, Some(1));
        assert!(said.err.ends_with("creditd: 4 of 7 rows were rejected\n"), "{}", said.err);
        for line in ["3 grants created", "0 created before", "4 rejected"] {
            assert!(said.out.contains(line), "{}", said.out);
        }
        assert!(said.out.contains(&format!("creditd import {file}.rejected.csv")), "{}", said.out);

        let grants = grants_of(&world.client, "first").await;
        assert_eq!(grants.iter().map(|grant| grant.import_row).collect::<Vec<_>>(), [1, 2, 6]);
        let money = &grants[0];
        assert_eq!((money.amount.as_str(), money.currency.as_str()), ("12.50", "USD"));
        assert_eq!(money.description, "Order 7,\nthanks");
        assert_eq!(money.metadata["plan"], "pro");
        let units = &grants[1];
        assert_eq!((units.r#type(), units.category()), (GrantType::Units, GrantCategory::Promotional));
        assert_eq!((units.metrics.join(" "), units.priority), ("images tokens".to_owned(), 7));
        assert_eq!(units.description, "=1+1");
        assert_eq!(units.effective_at, Some(say::time("2026-01-02T00:00:00Z".parse().unwrap())));
        assert_eq!(units.expires_at, Some(say::time("2026-04-01T00:00:00Z".parse().unwrap())));

        let rejected = records(&folder.read("a.csv.rejected.csv"));
        assert_eq!(rejected[0].join(","), format!("row,error,import_id,{HEADER}"));
        assert_eq!(column(&rejected, "row"), ["3", "4", "5", "7"]);
        let errors = column(&rejected, "error");
        for (error, parts) in errors.iter().zip([
            &["type must be", "category must be", "effective_at expected"][..],
            &["amount must have at most 2 decimals"],
            &["the row has 3 fields, and the header 11"],
            &["customer_id is required", "priority must be"],
        ]) {
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }

        // As it is, it is rejected as it was; mended, it completes the same import.
        let rest = folder.at("a.csv.rejected.csv");
        let (code, told) = import(world, &format!("{rest} --rejected {}", folder.at("b.csv"))).await;
        assert_eq!((code, counts(&told)), (Some(1), (0, 0, 4)));
        let mended = folder
            .read("a.csv.rejected.csv")
            .replace("acme,unit,,,,gift,yesterday", "acme,units,,,,,")
            .replace("1.005", "1.00")
            .replace("5,acme,units\n", "5,acme,units,,,,,,,,\n")
            .replace("1,,units,,,200", "1,initech,units,,,20");
        folder.write("a.csv.rejected.csv", mended);
        let (code, told) = import(world, &rest).await;
        assert_eq!((code, counts(&told), &told["import_id"]), (Some(0), (4, 0, 0), &json!("first")));
        let grants = grants_of(&world.client, "first").await;
        assert_eq!(grants.len(), 7);
        let (code, told) = import(world, &rest).await;
        assert_eq!((code, counts(&told)), (Some(0), (0, 4, 0)));
        assert_eq!(folder.names(), ["a.csv", "a.csv.rejected.csv", "b.csv"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_again_creates_nothing() {
    World::run(async |world| {
        let folder = Folder::new();
        let rows: Vec<String> =
            (0..2_500).map(|row| format!("c{},units,{row}.5", row % 90)).collect();
        let file = folder.write("a.csv", format!("customer_id,type,amount\n{}", rows.join("\n")));
        let (code, told) = import(world, &format!("{file} --dry-run")).await;
        assert_eq!((code, counts(&told)), (Some(0), (2_500, 0, 0)));
        let id = told["import_id"].as_str().unwrap().to_owned();
        assert_eq!(grants_of(&world.client, &id).await, []);

        for expected in [(2_500, 0, 0), (0, 2_500, 0)] {
            let (code, told) = import(world, &file).await;
            assert_eq!(
                (code, counts(&told), told["import_id"].as_str()),
                (Some(0), expected, Some(&*id))
            );
            assert_eq!(grants_of(&world.client, &id).await.len(), 2_500);
        }
        let (_, told) = import(world, &format!("{file} --import-id other")).await;
        assert_eq!(counts(&told), (2_500, 0, 0));
        assert_eq!(folder.names(), ["a.csv"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_is_told() {
    World::run(async |world| {
        let folder = Folder::new();
        let file = folder.write("a.csv", "customer_id,type,amount\na,units,1\nb,units,2\n");
        let line = format!("{file} --import-id january");
        assert_eq!(counts(&import(world, &line).await.1), (2, 0, 0));
        folder.write("a.csv", "customer_id,type,amount\na,units,1\nx,units,9\nb,units,2\n");
        let said = run(world, &format!("import {line}")).await;
        assert_eq!(said.code, Some(1), "{}", said.err);
        for line in
            ["1 grants created", "1 created before", "1 rejected", "1 rows differ from what"]
        {
            assert!(said.out.contains(line), "{}", said.out);
        }
        let rejected = records(&folder.read("a.csv.rejected.csv"));
        assert_eq!(column(&rejected, "row"), ["2"]);
        assert!(column(&rejected, "error")[0].contains("REQUEST_ID_REUSED"));

        // Rejected rows never take the place of a file that is there.
        assert_eq!(run(world, &format!("import {line}")).await.code, Some(1));
        assert_eq!(folder.names(), ["a.csv", "a.csv.rejected-2.csv", "a.csv.rejected.csv"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_gaps_keep_their_numbers() {
    World::run(async |world| {
        let folder = Folder::new();
        let text =
            "row,error,customer_id,type,amount\n3,old,a,units,1\n9,,c,units,1\n10,,b,what,1\n";
        let file = folder.write("a.csv", text);
        let said = run(world, &format!("import {file}")).await;
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("name it with --import-id"), "{}", said.err);
        let (code, told) = import(world, &format!("{file} --import-id i")).await;
        assert_eq!((code, counts(&told)), (Some(1), (2, 0, 1)));
        let rows: Vec<i64> =
            grants_of(&world.client, "i").await.iter().map(|g| g.import_row).collect();
        assert_eq!(rows, [3, 9]);
    })
    .await;
}
