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
        match self.engine.book_due_of(vec![customer.clone()]).await {
            0 => Ok(()),
            _ => Err(status::of_failure(Failure::Unavailable)),
        }
    }

    /// Books what is due for anybody.
    pub(super) async fn book_all_due(&self) -> Result<(), Status> {
        loop {
            let pass = self.engine.book_due(&self.store).await.map_err(status::of_store)?;
            if pass.failed > 0 {
                return Err(status::of_failure(Failure::Unavailable));
            }
            if !pass.full {
                return Ok(());
            }
        }
    }
}
