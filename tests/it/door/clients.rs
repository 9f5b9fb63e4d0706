//! Clients' papers: which are let in, and what they say; and keys that are not sent in the open.

use creditd::rpc::door::{Door, Patience, PeerNames, Settings};
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tonic::transport::server::Connected as _;

use super::authority::{Authority, Folder, Paper};
use super::{ask, secure, with};
use crate::harness::World;
use crate::harness::child::creditd;

#[tokio::test(flavor = "multi_thread")]
async fn only_good_papers_are_let_in() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = Folder::of(&authority.server());
    let options = with(|door| door.tls = Some(folder.files_with(&authority)));
    World::run_with(options, async |world| {
        let address = world.server.address;
        let asks = async |paper: Option<Paper>| {
            let client = secure(address, &authority, paper.as_ref()).await.map_err(|_| ())?;
            ask(&client).await.map_err(|_| ())
        };
        assert_eq!(asks(Some(authority.client())).await, Ok(()));
        assert_eq!(asks(None).await, Ok(()));
        assert_eq!(asks(Some(stranger.client())).await, Err(()));
        assert_eq!(asks(Some(authority.expired_client())).await, Err(()));
        // The command shows its papers, too.
        let paper = stranger.client();
        let mut command = creditd();
        command
            .args(["balance", "acme", "--endpoint"])
            .arg(format!("https://localhost:{}", address.port()))
            .arg("--tls-ca")
            .arg(folder.write("ca.pem", &authority.pem))
            .arg("--client-cert")
            .arg(folder.write("client.pem", &paper.certificate))
            .arg("--client-key")
            .arg(folder.write("client-key.pem", &paper.key));
        assert_eq!(command.output().await.expect("a command").status.code(), Some(1));
        let paper = authority.client();
        folder.write("client.pem", &paper.certificate);
        folder.write("client-key.pem", &paper.key);
        let said = command.output().await.expect("a command");
        assert_eq!((said.status.code(), said.stderr.as_slice()), (Some(0), &b""[..]));
    })
    .await;
}

/// What comes with each request for those who ask who it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_knows_its_peers_names() {
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let tls = Some(folder.files_with(&authority));
    let settings = Settings {
        connections: 2,
        connections_per_address: None,
        tls,
        patience: Patience::default(),
    };
    let door = Door::open(listener, settings).await.expect("a door");
    let mut connections = Box::pin(door.connections());
    let paper = authority.client();
    for (paper, names) in [(Some(&paper), Some(billing())), (None, None)] {
        let (client, connection) =
            tokio::join!(secure(address, &authority, paper), connections.next());
        let Some(Ok(connection)) = connection else { panic!("one that came in") };
        let peer = connection.connect_info();
        assert!(peer.address.ip().is_loopback());
        assert_eq!(peer.names.as_deref(), names.as_ref());
        drop(client);
    }
}

fn billing() -> PeerNames {
    PeerNames {
        uris: vec!["spiffe://prod/billing".to_owned()],
        dns: vec!["billing.example".to_owned()],
        common_name: Some("billing".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_nowhere_in_the_open() {
    let asked = async |url: &str| {
        let mut command = creditd();
        command.args(["balance", "acme", "--endpoint", url]).env("CREDITD_API_KEY", "creditd_1_s");
        let said = command.output().await.expect("a command");
        assert_eq!(said.status.code(), Some(1));
        String::from_utf8(said.stderr).expect("text")
    };
    let open = "creditd: the API key is not sent to ";
    for url in ["http://192.0.2.1:50051", "creditd.example:50051", "http://localhost.example:1"] {
        assert!(asked(url).await.starts_with(open), "{url}");
    }
    for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://[::1]:1"] {
        let said = asked(url).await;
        assert!(!said.contains(open) && !said.contains("creditd_1_s"), "{said}");
    }
}
