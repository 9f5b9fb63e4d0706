//! `creditd watch`, where it is no terminal.

use std::net::SocketAddr;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::watch;

use super::command;
use crate::harness::{World, say};

struct Watching {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn start(address: SocketAddr, line: &str) -> Self {
        let mut child = command(address, line).spawn().expect("a child");
        let out = BufReader::new(child.stdout.take().expect("its output")).lines();
        let err = BufReader::new(child.stderr.take().expect("its notes")).lines();
        Self { child, out, err }
    }

    async fn line(&mut self) -> String {
        self.out.next_line().await.expect("text").expect("a line")
    }

    async fn note(&mut self) -> String {
        self.err.next_line().await.expect("text").expect("a note")
    }

    /// Ctrl-C: how it ends, and that it says nothing more.
    async fn interrupt(mut self) -> ExitStatus {
        let id = self.child.id().expect("a running child");
        kill(Pid::from_raw(id.cast_signed()), Signal::SIGINT).expect("a signal");
        assert_eq!(self.err.next_line().await.expect("text"), None);
        self.child.wait().await.expect("its end")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_state_and_every_change_are_a_line() {
    World::run(async |world| {
        let mut watching = Watching::start(world.server.address, "watch acme");
        let first = "2026-01-01T00:00:00Z  acme  revision 0  nothing to spend";
        assert_eq!(watching.line().await, first);
        world.client.grant(say::units("acme", "100")).await;
        let line = watching.line().await;
        assert_eq!(line, "2026-01-01T00:00:00Z  acme  revision 1  100 units for any metric");
        assert!(watching.interrupt().await.success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_an_object_a_line() {
    World::run(async |world| {
        let mut watching = Watching::start(world.server.address, "watch acme globex --json");
        let mut customers = Vec::new();
        for _ in 0..2 {
            let told: serde_json::Value =
                serde_json::from_str(&watching.line().await).expect("JSON");
            customers.push(told["balance"]["customerId"].as_str().expect("a customer").to_owned());
        }
        customers.sort();
        assert_eq!(customers, ["acme", "globex"]);
        world.client.grant(say::money("globex", "5", "USD")).await;
        let told: serde_json::Value = serde_json::from_str(&watching.line().await).expect("JSON");
        assert_eq!(told["balance"]["totals"][0]["available"], "5.00");
        assert!(watching.interrupt().await.success());
    })
    .await;
}

/// Carries connections to whichever server is the one now.
async fn forward(listener: TcpListener, server: watch::Receiver<SocketAddr>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let server = *server.borrow();
        tokio::spawn(async move {
            if let Ok(mut far) = TcpStream::connect(server).await {
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_outlived() {
    World::run(async |world| {
        let before = world.another(&world.options).await;
        let after = world.another(&world.options).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (server, now) = watch::channel(before.address);
        let forwarding = tokio::spawn(forward(listener, now));

        let mut watching = Watching::start(address, "watch acme");
        assert!(watching.line().await.ends_with("revision 0  nothing to spend"));
        server.send(after.address).expect("a forwarder");
        before.stop().await;
        let away = watching.note().await;
        assert!(away.starts_with("creditd is away ("), "{away}");
        assert!(away.ends_with("): watching again"), "{away}");
        assert!(watching.line().await.ends_with("revision 0  nothing to spend"));
        assert_eq!(watching.note().await, "creditd is back");
        world.client.grant(say::units("acme", "100")).await;
        assert!(watching.line().await.ends_with("revision 1  100 units for any metric"));
        assert!(watching.interrupt().await.success());
        forwarding.abort();
        after.stop().await;
    })
    .await;
}
