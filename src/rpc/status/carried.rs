//! Statuses that messages carry: google.rpc.Status.

use tonic::Status;

use crate::limits;

/// A status as one of many that a message carries; `bytes` counts what the message has taken so
/// far. Once they are too many, of the status's details only the reason is shown, and its text is
/// cut.
pub(in crate::rpc) fn within(bytes: &mut usize, status: &Status) -> tonic_types::Status {
    let mut message = as_message(status);
    *bytes += prost::Message::encoded_len(&message);
    if *bytes > limits::STREAM_RESPONSE_BYTES_MAX {
        message.details.retain(|detail| detail.type_url.ends_with("google.rpc.ErrorInfo"));
        let text = &mut message.message;
        text.truncate(text.floor_char_boundary(limits::SHORT_MESSAGE_BYTES));
    }
    message
}

/// A status as it is carried inside a message: google.rpc.Status.
pub(in crate::rpc) fn as_message(status: &Status) -> tonic_types::Status {
    let decoded = prost::Message::decode(status.details());
    decoded.unwrap_or_else(|_| tonic_types::Status {
        code: i32::from(status.code()),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}
