//! TestClockService: a clock that callers move, served only under `--test-clock`.

use tonic::{Request, Response, Status};

use super::fields::Fields;
use super::{Services, convert, status};
use crate::pb;
use crate::pb::test_clock_service_server::TestClockService;
use crate::store;

/// The service, over the clock that the whole process reads.
pub(super) struct TestClock {
    services: Services,
    clock: store::TestClock,
}

impl TestClock {
    pub(super) fn new(services: Services, clock: store::TestClock) -> Self {
        Self { services, clock }
    }
}

#[tonic::async_trait]
impl TestClockService for TestClock {
    async fn get_time(
        &self,
        _: Request<pb::GetTimeRequest>,
    ) -> Result<Response<pb::GetTimeResponse>, Status> {
        let time = Some(convert::time(self.clock.now()));
        Ok(Response::new(pb::GetTimeResponse { time }))
    }

    async fn advance_to(
        &self,
        request: Request<pb::AdvanceToRequest>,
    ) -> Result<Response<pb::AdvanceToResponse>, Status> {
        let mut fields = Fields::default();
        let time = fields.required_time("time", request.into_inner().time.as_ref());
        let Some(time) = time else { return Err(fields.refuse()) };
        self.clock.advance_to(time).map_err(status::clock_backwards)?;
        // What falls due on the way is booked at the instants at which it falls due, in their
        // order, whenever it is booked: one sweep after the jump does what a sweep at every
        // instant would.
        self.services.book_all_due().await?;
        let time = Some(convert::time(self.clock.now()));
        Ok(Response::new(pb::AdvanceToResponse { time }))
    }
}
