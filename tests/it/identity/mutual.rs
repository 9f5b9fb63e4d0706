//! Mutual TLS: what a client's certificate says of it is who it is.

use creditd::pb;
use tonic::{Code, Status};

use crate::door::authority::{Authority, Folder, Paper};
use crate::door::secure;
use crate::harness::child::{Serving, creditd};
use crate::harness::{Client, Database, say};

/// How it answers who makes a grant.
async fn makes(client: &Client) -> Result<String, Status> {
    let answer = client.credits.clone().create_grant(say::units("acme", "1")).await?;
    Ok(answer.into_inner().grant.expect("a grant").created_by)
}

/// How it answers who reads.
async fn reads(client: &Client) -> Code {
    let request = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
    let answer = client.credits.clone().get_balance(request).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// On a loopback address, too: whoever gives certificates a role means that others have none.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_speaks_for_who_shows_it() {
    let database = Database::create().await;
    let authority = Authority::new();
    let folder = Folder::of(&authority.server());
    let path = |name: &str| folder.path(name).display().to_string();
    folder.write("clients.pem", &authority.pem);
    let serves = async |rule: &str| {
        let (certificate, key, clients) = (path("cert.pem"), path("key.pem"), path("clients.pem"));
        let flags = [
            ["--tls-cert", &certificate],
            ["--tls-key", &key],
            ["--tls-client-ca", &clients],
            ["--client-role", rule],
        ];
        Serving::start_with(&database.url, &flags.concat()).await
    };
    let client = async |serving: &Serving, paper: Option<&Paper>| {
        secure(serving.address, &authority, paper).await.expect("a connection")
    };
    let billing = authority.client();

    let serving = serves("URI:spiffe://prod/*=admin").await;
    let admin = client(&serving, Some(&billing)).await;
    assert_eq!(makes(&admin).await.expect("a grant"), "URI:spiffe://prod/billing");
    assert_eq!(reads(&client(&serving, None).await).await, Code::Unauthenticated);
    assert!(serving.stop().await.success());

    let serving = serves("DNS:billing.example=reader").await;
    let reader = client(&serving, Some(&billing)).await;
    assert_eq!(reads(&reader).await, Code::Ok);
    assert_eq!(makes(&reader).await.expect_err("no role").code(), Code::PermissionDenied);
    assert!(serving.stop().await.success());

    let serving = serves("CN:reports=admin").await;
    assert_eq!(reads(&client(&serving, Some(&billing)).await).await, Code::Unauthenticated);
    assert!(serving.stop().await.success());
    database.audit().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_for_certificates_that_nobody_can_show_is_refused() {
    let mut command = creditd();
    command.args(["serve", "--client-role", "CN:reports=reader"]);
    let said = command.output().await.expect("a command");
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("--tls-client-ca"), "{said:?}");
}
