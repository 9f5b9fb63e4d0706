//! Every role and every RPC.

use creditd::domain::identity::{KeyText, Role};
use creditd::pb::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{asks, call, guarded, key};
use crate::harness::wait::until;
use crate::harness::{World, say};

/// What a meter may do beside reading.
const METERED: [&str; 6] =
    ["RecordUsage", "StreamUsage", "CreateHold", "ExtendHold", "SettleHold", "ReleaseHold"];
/// What reads, by the beginning of its name: whoever adds an RPC thinks of its role.
const READS: [&str; 6] = ["Get", "List", "Watch", "Export", "Preview", "Summarize"];

/// Every RPC of the contract: its path, and the least role that may call it.
fn rpcs() -> Vec<(String, Role)> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("descriptors").file;
    let mut rpcs = Vec::new();
    for file in files.iter().filter(|file| file.package() == "credits.v1") {
        for service in &file.service {
            for method in &service.method {
                let name = method.name();
                let reads = READS.iter().any(|beginning| name.starts_with(beginning));
                let meters = METERED.contains(&name);
                let least = if reads { Role::Reader } else { Role::Admin };
                let least = if meters { Role::Meter } else { least };
                rpcs.push((format!("/credits.v1.{}/{name}", service.name()), least));
            }
        }
    }
    rpcs
}

/// A key of this role that the server knows of.
async fn opening(world: &World, role: Role) -> KeyText {
    let key = key(&world.database, "somebody", role).await;
    until("it opens", async || asks(&world.client, &key).await == Code::Ok).await;
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_call_what_it_may() {
    let rpcs = rpcs();
    assert!(rpcs.len() > 45, "{}", rpcs.len());
    World::run_with(guarded(), async |world| {
        for role in Role::ALL {
            let key = opening(world, role).await;
            let bearer = format!("Bearer {}", key.reveal());
            for (path, least) in &rpcs {
                let status = call(world, path, Some(&bearer)).await;
                let refused = status.code() == Code::PermissionDenied;
                assert_eq!(refused, role < *least, "{role} {path}: {status:?}");
                assert_ne!(status.code(), Code::Unauthenticated, "{role} {path}");
                if refused {
                    assert_eq!(say::reason(&status), "PERMISSION_DENIED");
                    let info = status.get_details_error_info().expect("a reason");
                    assert_eq!(info.metadata["role"], role.name());
                    assert_eq!(info.metadata["least_role"], least.name());
                }
            }
        }
    })
    .await;
}

#[test]
fn callers_are_told_which_role_they_need() {
    let clients = include_str!("../../../docs/clients.md");
    for (path, least) in rpcs() {
        let (_, method) = path.rsplit_once('/').expect("a method");
        for role in Role::ALL {
            let row = format!("| {role} | ");
            let row = clients.lines().find(|line| line.starts_with(&row)).expect("a row");
            let named = row.split([' ', ',', ';']).any(|word| word == method);
            assert_eq!(named, role == least, "{method} in the row of {role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_call_anything_but_health() {
    World::run_with(guarded(), async |world| {
        for (path, _) in rpcs() {
            let status = call(world, &path, None).await;
            assert_eq!(status.code(), Code::Unauthenticated, "{path}");
            assert_eq!(say::reason(&status), "UNAUTHENTICATED", "{path}");
        }
        let health = call(world, "/grpc.health.v1.Health/Check", None).await;
        assert_eq!(health.code(), Code::Ok);
        let reader = opening(world, Role::Reader).await;
        let reader = format!("Bearer {}", reader.reveal());
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            assert_eq!(call(world, &path, None).await.code(), Code::Unauthenticated);
            assert_ne!(call(world, &path, Some(&reader)).await.code(), Code::Unauthenticated);
        }
        // What is not there is told to none but an admin.
        let unknown = "/credits.v1.CreditService/TakeAll";
        assert_eq!(call(world, unknown, None).await.code(), Code::Unauthenticated);
        assert_eq!(call(world, unknown, Some(&reader)).await.code(), Code::PermissionDenied);
    })
    .await;
}
