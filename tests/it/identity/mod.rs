//! Who may call, and what is written of them.

mod actors;
mod certificates;
mod commands;
mod keys;
mod mutual;
mod revoked;
mod roles;
mod strangers;

use chrono::TimeDelta;
use creditd::domain::identity::{KeyId, KeyText, Role};
use creditd::pb;
use creditd::store::{Address, KeyBook};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};

use crate::harness::{Client, Database, Options, World};

/// A world whose callers must say who they are.
fn guarded() -> Options {
    Options { identity: Some(Vec::new()), ..Options::default() }
}

async fn book(database: &Database) -> KeyBook {
    KeyBook::open(&Address::parse(&database.url).expect("a URL")).await.expect("a book")
}

/// A new key of this name and role.
pub async fn key(database: &Database, name: &str, role: Role) -> KeyText {
    lasting(database, name, role, None).await
}

async fn lasting(database: &Database, name: &str, role: Role, how: Option<TimeDelta>) -> KeyText {
    let key = KeyText::fresh().expect("randomness");
    let name = name.parse().expect("a name");
    let made = book(database).await.create(&key, &name, role, how).await.expect("a key");
    assert_eq!(made.expect("room for it").id, key.id);
    key
}

async fn revoke(database: &Database, id: KeyId) {
    book(database).await.revoke(id).await.expect("a database").expect("a key");
}

/// A request with this key.
fn with<T>(message: T, key: &KeyText) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = format!("Bearer {}", key.reveal()).parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    request
}

/// Asks for somebody's balance with this key; the code that comes of it.
async fn asks(client: &Client, key: &KeyText) -> Code {
    let request = pb::GetBalanceRequest { customer_id: "acme".into(), ..Default::default() };
    let answer = client.credits.clone().get_balance(with(request, key)).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// Calls what has this path with an empty message and this `authorization` header.
pub async fn call(world: &World, path: &str, authorization: Option<&str>) -> Status {
    let mut channel = world.client.channel.clone();
    let body = Body::new(Full::from(vec![0; 5]).map_err(|never| match never {}));
    let mut request = Request::post(format!("http://creditd{path}")).body(body).expect("a request");
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(authorization) = authorization {
        headers.insert("authorization", authorization.parse().expect("a header"));
    }
    let answer = channel.ready().await.expect("a channel").call(request).await.expect("an answer");
    if let Some(status) = Status::from_header_map(answer.headers()) {
        return status;
    }
    let frame = answer.into_body().frame().await.expect("a frame").expect("a frame");
    // A stream that has begun lets in who asked for it.
    let trailers = frame.into_trailers().ok();
    let status = trailers.and_then(|trailers| Status::from_header_map(&trailers));
    status.unwrap_or_else(|| Status::ok(""))
}
