//! proto3 JSON, as grpcurl prints it: found by reflection on the contract, so that no message has
//! to be spelt out here.

use std::sync::LazyLock;

use prost::Name;
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage};
use serde_json::Value;

use super::Error;
use crate::pb;

static CONTRACT: LazyLock<Result<DescriptorPool, DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET));

/// A message on a line of its own.
pub fn line<M: Name>(message: &M) -> Result<String, Error> {
    value(message)
        .map(|value| format!("{value}\n"))
        .ok_or(Error::Unexpected("creditd answered what its contract does not describe"))
}

fn value<M: Name>(message: &M) -> Option<Value> {
    let descriptor = CONTRACT.as_ref().ok()?.get_message_by_name(&M::full_name())?;
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()?;
    let mut value = serde_json::to_value(message).ok()?;
    sort_maps(&mut value);
    Some(value)
}

/// Fields come in the contract's order, but reflection keeps maps in no order at all.
fn sort_maps(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort_maps),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(pairs) if name == "metadata" => pairs.sort_keys(),
                    field => sort_maps(field),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_told_as_grpcurl_tells_it() {
        let pairs = ["e", "d", "c", "b", "a"].map(|key| (key.to_owned(), "1".to_owned()));
        let grant = pb::Grant {
            id: "g".to_owned(),
            r#type: pb::GrantType::Units.into(),
            metrics: vec!["m".to_owned()],
            effective_at: Some(prost_types::Timestamp { seconds: 0, nanos: 500_000_000 }),
            metadata: pairs.into(),
            ..Default::default()
        };
        assert_eq!(
            line(&pb::CreateGrantResponse { grant: Some(grant), replayed: true }).unwrap(),
            "{\"grant\":{\"id\":\"g\",\"type\":\"GRANT_TYPE_UNITS\",\"metrics\":[\"m\"],\
             \"effectiveAt\":\"1970-01-01T00:00:00.500Z\",\
             \"metadata\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\"}},\
             \"replayed\":true}\n"
        );
        let balance = pb::Balance { revision: 3, ..Default::default() };
        assert_eq!(line(&balance).unwrap(), "{\"revision\":\"3\"}\n");
    }
}
