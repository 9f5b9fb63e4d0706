//! A panic in a handler is an INTERNAL error with an id; its text goes to the log only.

use std::any::Any;

use http::Response;
use tonic::body::Body;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use uuid::Uuid;

use super::status;

/// Turns panics of handlers into statuses.
pub type PanicLayer = CatchPanicLayer<Answer>;

/// What a caller whose handler panicked is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer;

impl Answer {
    /// The layer.
    #[must_use]
    pub fn layer() -> PanicLayer {
        CatchPanicLayer::custom(Self)
    }
}

impl ResponseForPanic for Answer {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        let id = Uuid::now_v7();
        tracing::error!(%id, panic = text.as_deref().unwrap_or("of unknown kind"), "a handler panicked");
        status::internal(id).into_http()
    }
}
