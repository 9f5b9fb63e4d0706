//! `creditd customers` and `creditd campaign`.

use std::fs;

use serde_json::json;

use super::{run, says, tells};
use crate::harness::World;
use crate::harness::campaign::campaign;

/// A file with this text, and its path as a command line takes it.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("customers.csv");
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_come_from_a_file() {
    World::run(async |world| {
        let rows =
            "segments,customer_id,name\ngold;\"a;b\",acme,Acme Ltd\n,globex,\ngold,initech,I\n";
        let (_folder, path) = file(rows);
        let said = run(world, &format!("customers upsert {path}")).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(said.out, "3 created, 0 updated, 0 unchanged, 0 rejected\n");
        assert!(said.err.starts_with("customers: 3 of 3"), "{}", said.err);
        let said = run(world, &format!("customers upsert {path} --json")).await;
        let counts = json!({ "created": 0, "updated": 0, "unchanged": 3, "rejected": 0 });
        assert_eq!(said.out, format!("{counts}\n"));
        let listed = says(world, "customers list").await;
        let lines = "CUSTOMER  NAME      SEGMENTS\n\
                     acme      Acme Ltd  a;b, gold\n\
                     globex\n\
                     initech   I         gold\n";
        assert_eq!(listed, lines);
        let gold = tells(world, "customers list --segment gold").await;
        assert_eq!(
            gold.iter().map(|one| &one["customerId"]).collect::<Vec<_>>(),
            ["acme", "initech"]
        );
        let got = says(world, "customers get acme").await;
        assert!(
            got.starts_with("customer  acme\nname      Acme Ltd\nsegments  a;b, gold\n"),
            "{got}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_profiles_are_told_by_their_lines() {
    World::run(async |world| {
        let (_folder, path) = file("customer_id,segments\nacme,gold\n,gold\nglobex,gold\n");
        let said = run(world, &format!("customers upsert {path}")).await;
        assert_eq!(said.code, Some(1));
        assert_eq!(said.out, "2 created, 0 updated, 0 unchanged, 1 rejected\n");
        assert!(
            said.err.contains("line 3 was rejected: customer_id is required\n"),
            "{}",
            said.err
        );
        for (text, fault) in [
            ("customer,segments\na,b\n", "line 1: the column customer_id is missing"),
            ("customer_id,plan\na,b\n", "line 1: column \"plan\" is not one of customer_id, name"),
            ("customer_id,name\na\n", "line 2: the row has 1 fields, and the header 2"),
        ] {
            let (_folder, path) = file(text);
            let said = run(world, &format!("customers upsert {path}")).await;
            assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
            assert!(said.err.contains(fault), "{}", said.err);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_run_to_its_end() {
    World::run(async |world| {
        let (_folder, path) = file("customer_id,segments\nacme,gold\nglobex,gold\ninitech,\n");
        run(world, &format!("customers upsert {path}")).await;
        let line = "campaign create spring --segment gold --amount 5 --currency USD \
                    --category promotional --expires-at 2026-03-31";
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = run(world, &format!("{line} --validate-only")).await;
        assert!(said.err.starts_with("valid: nothing was written"), "{}", said.err);
        assert!(said.out.contains("created     2\n"), "{}", said.out);
        let said = run(world, &line).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.starts_with("customers: 2 of 2"), "{}", said.err);
        for fact in [
            "for         segment gold\n",
            "each gets   5.00 USD\n",
            "state       finished\n",
            "run         1\n",
            "created     2\n",
            "rejected    0\n",
        ] {
            assert!(said.out.contains(fact), "{fact}: {}", said.out);
        }
        let said = run(world, &format!("{line} --detach")).await;
        assert!(said.err.starts_with("created before: it is run again"), "{}", said.err);
        let said = run(world, "campaign watch spring").await;
        assert!(said.out.contains("duplicates  2\n"), "{}", said.out);
        let grants = tells(world, "grants list --campaign spring").await;
        assert_eq!(grants.len(), 2);
        let (_folder, path) = file("name,customer_id\nAcme,acme\nNew,new\n");
        let said =
            run(world, &format!("campaign create outage --customers {path} --amount 7")).await;
        assert!(said.out.contains("for         2 customers by name\n"), "{}", said.out);
        let listed = says(world, "campaigns list").await;
        let words: Vec<&str> =
            listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(words, ["spring", "outage"]);
        let said = says(world, "void --campaign spring --reason mistake").await;
        assert_eq!(said, "2 grants voided, 0 skipped\n  10.00 USD\n");
        let said = says(world, "void --campaign nobody --reason mistake").await;
        assert_eq!(said, "campaign nobody has no grants: nothing was voided\n");
        let got = tells(world, "campaign get outage").await;
        assert_eq!(got[0]["campaign"]["namedCustomers"], 2);
    })
    .await;
}

/// Rejections are told, and end the command with a fault.
#[tokio::test(flavor = "multi_thread")]
async fn rejections_are_a_fault() {
    World::run(async |world| {
        let mut asked = campaign("late", "gold", "1");
        asked.template.as_mut().expect("a template").expires_at = crate::harness::say::hour(1);
        world.client.run_campaign(asked).await;
        world.advance(chrono::TimeDelta::hours(2)).await;
        let (_folder, path) = file("customer_id,segments\nacme,gold\n");
        run(world, &format!("customers upsert {path}")).await;
        let line =
            "campaign create late --segment gold --amount 1 --expires-at 2026-01-01T01:00:00Z";
        let said = run(world, line).await;
        assert_eq!(said.code, Some(1));
        assert!(
            said.out.contains("rejection   acme: expires_at must be after now\n"),
            "{}",
            said.out
        );
        assert!(said.err.ends_with("creditd: 1 customers were rejected\n"), "{}", said.err);
    })
    .await;
}
