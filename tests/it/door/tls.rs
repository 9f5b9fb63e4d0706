//! The server's own papers: calls over TLS, files that cannot be used, files that change.

use std::time::Duration;

use creditd::rpc::door::{Door, Files, Patience, Settings};
use tokio::net::TcpListener;

use super::authority::{Authority, Folder, Paper};
use super::{ask, raw, secure, with};
use crate::harness::child::creditd;
use crate::harness::wait::until;
use crate::harness::{World, say};

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_over_tls() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let options = with(|door| door.tls = Some(folder.files()));
    World::run_with(options, async |world| {
        let client = secure(world.server.address, &authority, None).await.expect("a connection");
        client.grant(say::units("acme", "10")).await;
        let ca = folder.write("ca.pem", &authority.pem);
        let url = format!("https://localhost:{}", world.server.address.port());
        let line = ["balance", "acme", "--endpoint", &url];
        let mut known = creditd();
        known.args(line).arg("--tls-ca").arg(ca);
        let said = known.output().await.expect("a command");
        let out = String::from_utf8(said.stdout).expect("text");
        assert!(said.status.success() && out.contains("10"), "{out}");
        // One that it does not know it does not talk to.
        let other = folder.write("other.pem", &Authority::new().pem);
        let mut unknown = creditd();
        unknown.args(line).env("CREDITD_TLS_CA", other);
        let said = unknown.output().await.expect("a command");
        let err = String::from_utf8(said.stderr).expect("text");
        assert!(err.starts_with(&format!("creditd: no TLS with {url}: ")), "{err}");
        assert_eq!((said.status.code(), err.lines().count()), (Some(1), 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_sent_away() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let options = with(|door| door.tls = Some(folder.files()));
    World::run_with(options, async |world| {
        let address = world.server.address;
        ask(&world.client).await.expect_err("it wants TLS");
        raw::rest(raw::http2(address).await).await;
        raw::rest(raw::saying(address, b"GET / HTTP/1.1\r\n\r\n").await).await;
        // TLS 1.1: a fatal alert, and no more.
        let said = raw::rest(raw::saying(address, &hello(2)).await).await;
        assert_eq!((said.len(), &said[..6]), (7, &[21, 3, 3, 0, 2, 2][..]), "{said:?}");
        until("all are gone", async || world.server.door().failed >= 4).await;
        assert_eq!((world.server.door().came_in, world.server.door().open), (0, 0));
        let client = secure(address, &authority, None).await.expect("a connection");
        ask(&client).await.expect("an answer");
    })
    .await;
}

/// What a client of TLS 1.`minor - 1` says first.
fn hello(minor: u8) -> Vec<u8> {
    let version = [3, minor];
    let suites = [0, 2, 0xc0, 0x13];
    let body = [&version[..], &[7; 32], &[0], &suites, &[1, 0]].concat();
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    let handshake = [&[1, 0][..], &length, &body].concat();
    let length = u16::try_from(handshake.len()).expect("short").to_be_bytes();
    [&[22, 3, 1][..], &length, &handshake].concat()
}

/// Opens a door with these files, which it does not.
async fn refused(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = Settings {
        connections: 1,
        connections_per_address: None,
        tls: Some(files),
        patience: Patience::default(),
    };
    let opened = Door::open(listener, settings).await;
    opened.map(drop).expect_err("these cannot be used").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_named() {
    let authority = Authority::new();
    let server = authority.server();
    let folder = Folder::of(&server);
    let files = || folder.files();
    let (bad, empty) = (
        folder.write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA"),
        folder.write("empty.pem", ""),
    );
    let other = folder.write("other.pem", &authority.server().key);
    let hollow = folder.write(
        "hollow.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    for (files, said) in [
        (Files { certificate: folder.path("none.pem"), ..files() }, "cannot read DIR/none.pem: No"),
        (Files { certificate: bad.clone(), ..files() }, "DIR/bad.pem: is not PEM"),
        (Files { certificate: empty.clone(), ..files() }, "DIR/empty.pem: holds no certificate"),
        (Files { certificate: hollow.clone(), ..files() }, "DIR/hollow.pem: its first certificate"),
        (Files { key: bad.clone(), ..files() }, "DIR/bad.pem: holds no private key"),
        (Files { key: empty.clone(), ..files() }, "DIR/empty.pem: holds no private key"),
        (Files { key: hollow.clone(), ..files() }, "DIR/hollow.pem: its key does not read"),
        (Files { key: other, ..files() }, "the key in DIR/other.pem does not belong to the"),
        (Files { client_ca: Some(empty), ..files() }, "DIR/empty.pem: holds no certificate"),
        (Files { client_ca: Some(hollow), ..files() }, "DIR/hollow.pem: one of its certificates"),
    ] {
        let error = refused(files).await;
        let error = error.replace(&folder.path("").display().to_string(), "DIR/");
        assert!(error.starts_with(said), "{error}, not {said}");
    }
    // The command says so, and ends before it has touched a database.
    let mut command = creditd();
    command.args(["serve", "--listen", "127.0.0.1:0", "--tls-key"]).arg(folder.path("key.pem"));
    command.args(["--database-url", "postgres://nobody@127.0.0.1:1/none", "--tls-cert"]).arg(bad);
    let ended = command.output().await.expect("a command");
    let err = String::from_utf8(ended.stderr).expect("text");
    assert!(err.ends_with("bad.pem: is not PEM\n"), "{err}");
    assert_eq!(ended.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_files_are_what_new_connections_are_met_with() {
    let (old, new) = (Authority::new(), Authority::new());
    let (first, second): (Paper, Paper) = (old.server(), new.server());
    let folder = Folder::of(&first);
    let options = with(|door| {
        door.tls = Some(folder.files());
        door.patience.look_every = Duration::from_millis(5);
    });
    World::run_with(options, async |world| {
        let address = world.server.address;
        let before = secure(address, &old, None).await.expect("the first");
        secure(address, &new, None).await.err().expect("not yet");
        // Neither half of a change nor rubbish is taken: the old papers go on.
        folder.write("cert.pem", &second.certificate);
        for _ in 0..20 {
            secure(address, &old, None).await.expect("the first still");
        }
        folder.write("cert.pem", "rubbish");
        for _ in 0..20 {
            secure(address, &old, None).await.expect("the first still");
        }
        folder.put(&second);
        until("the second", async || secure(address, &new, None).await.is_ok()).await;
        secure(address, &old, None).await.err().expect("no longer");
        // Who was in already stays.
        ask(&before).await.expect("an answer");
    })
    .await;
}
