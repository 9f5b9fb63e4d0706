//! Booking what is due before the ledger is read, so that it is there.

use tonic::Status;

use super::{Services, status};
use crate::domain::ids::Customer;
use crate::engine::Failure;

impl Services {
    /// Books what is due for one customer, where anything is.
    pub(super) async fn book_due_of(&self, customer: &Customer) -> Result<(), Status> {
        let account = self.store.account(customer).await.map_err(status::of_store)?;
        if account.changes().entries.is_empty() {
            return Ok(());
        }
        booked(self.engine.book_due_of(vec![customer.clone()]).await.failures)
    }

    /// Does all that time asks for.
    pub(super) async fn book_all_due(&self) -> Result<(), Status> {
        let swept = self.engine.sweep_all(&self.store).await.map_err(status::of_store)?;
        booked(swept.failures)
    }
}

/// The first failure speaks for all.
fn booked(failures: Vec<Failure>) -> Result<(), Status> {
    failures.into_iter().next().map_or(Ok(()), |failure| Err(status::of_failure(failure)))
}
