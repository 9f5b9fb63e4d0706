//! Where webhooks may not go.

use creditd::domain::url_policy::UrlPolicy;

use super::{Post, at_once};
use crate::harness::receiver::Receiver;
use crate::harness::{Options, World};

fn under(allow_http: bool, allow_private: bool) -> Options {
    let mut options = Options::default();
    options.webhooks.policy = UrlPolicy { allow_http, allow_private };
    options
}

/// Attempts one delivery to each of these URLs, which must fail so.
async fn assert_refused(post: &Post, urls: &[String], error: &str) {
    for url in urls {
        let delivery = post.delivery(post.endpoint(url).await, "{}").await;
        let row = post.after(delivery, 1).await;
        assert_eq!(row.error.as_deref(), Some(error), "{url}: {row:?}");
    }
}

/// Endpoints may be older than the policy: it is asked at every attempt.
#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_not_reached() {
    World::run_with(under(true, false), async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        let port = receiver.address.port();
        let hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"];
        let urls = hosts.map(|host| format!("http://{host}:{port}/"));
        assert_refused(&post, &urls, "address not allowed").await;
        assert!(receiver.seen().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_not_spoken() {
    World::run_with(under(false, true), async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        assert_refused(&post, &[receiver.url()], "URL not allowed").await;
        assert!(receiver.seen().is_empty());
        // And https only with whoever does.
        let https = receiver.url().replace("http:", "https:");
        assert_refused(&post, &[https], "TLS: no handshake").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_resolved() {
    World::run(async |world| {
        let post = Post::of(&world.database).await;
        let receiver = Receiver::start().await;
        let url = receiver.url().replace("127.0.0.1", "localhost");
        let delivery = post.delivery(post.endpoint(&url).await, "{}").await;
        assert_eq!(post.after(delivery, 1).await, at_once());
    })
    .await;
}
