//! Strangers: who calls what needs no key, and who has sent one that is not known. Whatever they do,
//! together they hold no more than so much.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use super::super::status;
use crate::limits;

/// The places for strangers.
#[derive(Clone)]
pub(super) struct Strangers(Arc<Semaphore>);

/// One of them, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(limits::STRANGERS_MAX)))
    }

    /// A place for one more.
    pub(super) fn place(&self) -> Result<Place, Status> {
        let free = Arc::clone(&self.0).try_acquire_owned();
        free.map(|permit| Place { _permit: permit }).map_err(|_| status::too_many_strangers())
    }
}

impl Place {
    /// The answer to who has it, which gives it back at its end.
    pub(super) fn until_end_of(self, body: Body) -> Body {
        Body::new(body.map_frame(move |frame| {
            let _kept = &self;
            frame
        }))
    }
}
