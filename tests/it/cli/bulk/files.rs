//! Files of all kinds, and what is none.

use std::io::Write as _;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::{Folder, counts, grants_of, import, told};
use crate::cli::{Said, command, run};
use crate::harness::World;

const TEXT: &str = "\u{feff}customer_id,type,amount,description\r\nacme,units,5,\"Grüße,\r\nzwei\"\r\n\r\nb,units,1,\r\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_or_not_it_is_the_same_import() {
    World::run(async |world| {
        let folder = Folder::new();
        let file = folder.write("a.csv", TEXT);
        let (code, told) = import(world, &file).await;
        assert_eq!((code, counts(&told)), (Some(0), (2, 0, 0)));
        let digest: Vec<String> =
            Sha256::digest(TEXT).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told["import_id"], digest.concat());
        let grants = grants_of(&world.client, &digest.concat()).await;
        assert_eq!(grants[0].description, "Grüße,\r\nzwei");

        let file = folder.write("a.csv.gz", gzip(TEXT));
        let (code, told) = import(world, &file).await;
        assert_eq!((code, counts(&told)), (Some(0), (0, 2, 0)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_needs_a_name() {
    World::run(async |world| {
        let said = run(world, "import -").await;
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains("name the import with --import-id"), "{}", said.err);

        for (bytes, expected) in [(TEXT.as_bytes().to_vec(), (2, 0, 0)), (gzip(TEXT), (0, 2, 0))] {
            let mut command = command(world.server.address, "import - --import-id piped --json");
            let mut child = command.stdin(Stdio::piped()).spawn().expect("a child");
            let mut stdin = child.stdin.take().expect("its input");
            stdin.write_all(&bytes).await.expect("room");
            drop(stdin);
            let said: Said = child.wait_with_output().await.expect("its end").into();
            assert_eq!((said.code, counts(&told(&said))), (Some(0), expected));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_told_in_one_line() {
    World::run(async |world| {
        let folder = Folder::new();
        let good = "customer_id,type,amount\na,units,1\n";
        let file = |name: &str, bytes: &[u8]| folder.write(name, bytes);
        for (file, said) in [
            (file("empty.csv", b""), "is empty: a header is required"),
            (file("book.xlsx", b"PK\x03\x04abc"), "is not CSV but a workbook"),
            (file("wide.csv", b"\xff\xfec\0"), "is not CSV but UTF-16"),
            (
                file("latin.csv", b"customer_id,type,amount\na,units,1\n\xe4,units,1\n"),
                "latin.csv, line 3: this is not UTF-8",
            ),
            (
                file("open.csv", format!("{good}b,units,\"1\n").as_bytes()),
                "open.csv, line 3: a quote in this record is never closed",
            ),
            (file("cut.gz", &gzip(good)[..20]), "cannot read"),
            (
                file("other.csv", b"customer,type,amount\na,units,1\n"),
                "column \"customer\" is not known; the nearest that is: customer_id",
            ),
            (file("none.csv", b"hello\nworld\n"), "this is no header"),
            (
                file("rows.csv", b"row,customer_id,type,amount\n2,a,units,1\n1,a,units,1\n"),
                "rows.csv, line 3: row 1 comes after row 2: sort the file by row",
            ),
            (folder.at("missing.csv"), "No such file"),
            (folder.at(""), "is a directory"),
        ] {
            let told = run(world, &format!("import {file}")).await;
            assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{file}");
            let last = told.err.lines().last().expect("a line");
            assert!(last.starts_with("creditd: ") && last.contains(said), "{}", told.err);
        }
        let all = creditd::pb::ListGrantsRequest::default();
        let all = world.client.try_list_grants(all).await.expect("a page");
        assert_eq!(all.grants, [], "a file that cannot be read to its end creates nothing");

        let bare = folder.write("bare.csv", "customer_id,type,amount\n");
        let told = run(world, &format!("import {bare}")).await;
        assert_eq!(told.code, Some(0));
        assert!(told.out.contains("0 rows, so that there is nothing to do"), "{}", told.out);
        let told = run(world, &format!("import {bare} --rejected {bare}")).await;
        assert!(told.err.contains("--rejected names the file that is imported"), "{}", told.err);
    })
    .await;
}
