//! What goes wrong is said in plain words, and the exit code tells.

use super::{command, run};
use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named() {
    World::run(async |world| {
        let line = "grants create --customer acme --amount -1 --currency usd --metric m \
                    --priority 101 --request-id r1";
        let said = run(world, line).await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
        let mut lines = said.err.lines();
        assert_eq!(lines.next(), Some("creditd: the request was refused:"));
        let fields: Vec<_> = lines.map(|line| line.trim().split(' ').next().unwrap()).collect();
        assert_eq!(fields, ["metrics", "currency", "amount", "priority"], "{}", said.err);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_grant_is_not_found() {
    World::run(async |world| {
        let said = run(world, "grants get 01a20299-7f1f-7458-bfdd-c168da17abed").await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
        assert!(said.err.ends_with(" (GRANT_NOT_FOUND)\n"), "{}", said.err);
        assert_eq!(said.err.lines().count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_that_does_not_read_is_not_sent() {
    World::run(async |world| {
        for (line, why) in [
            ("grants list --created-after tomorrow", "expected a time such as"),
            ("grants list --status open", "[possible values: pending, active,"),
            ("grants update g", "required arguments were not provided"),
            ("grants update g --priority 1 --default-priority", "cannot be used with"),
            ("grants create --customer a --amount 1 --metadata pair", "expected KEY=VALUE"),
            ("balance acme --metric m --currency USD", "cannot be used with"),
            ("watch", "required arguments were not provided"),
        ] {
            let said = run(world, line).await;
            assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{line}");
            assert!(said.err.contains(why), "{line}: {}", said.err);
        }
        let said =
            run(world, "grants create --customer a --amount 1 --metadata k=1 --metadata k=2");
        assert_eq!(said.await.err, "creditd: --metadata names \"k\" twice\n");
    })
    .await;
}

#[tokio::test]
async fn nothing_that_listens_is_said_so() {
    // A port that is taken, by nobody who listens.
    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    taken.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = taken.local_addr().expect("an address");
    for line in ["balance acme", "watch acme", "usage list acme"] {
        let output = command(address, line).output().await.expect("a command");
        let said = super::Said::from(output);
        let expected =
            format!("creditd: nothing answers at http://{address}: is creditd running there?\n");
        assert_eq!((said.code, said.out, said.err), (Some(1), String::new(), expected));
    }
    let output =
        command(address, "balance acme --endpoint ftp://there").output().await.expect("one");
    let said = super::Said::from(output);
    assert!(
        said.err.starts_with("creditd: --endpoint \"ftp://there\" is not a URL"),
        "{}",
        said.err
    );
}
