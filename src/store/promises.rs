//! Reading holds and credit applications.

use diesel::IntoSql as _;
use diesel::prelude::*;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::Store;
use super::batch::{ApplicationSqlType, application_columns, application_draws};
use super::error::Result;
use super::rows::{ApplicationRow, HoldRow};
use super::schema::{customers, holds};
use super::statement::Statement;
use crate::domain::application::CreditApplication;
use crate::domain::hold::Hold;
use crate::domain::ids::{Customer, HoldId, InvoiceId};
use crate::domain::time::Timestamp;

struct GetApplication;

impl Store {
    /// A hold by its id, as of now.
    ///
    /// # Errors
    /// As the database says.
    pub async fn hold(&self, customer: &Customer, hold_id: &HoldId) -> Result<Option<Hold>> {
        let mut conn = self.readers.get().await?;
        let now = self.clock.read(&conn).await?;
        let row: Option<(HoldRow, Timestamp)> = holds::table
            .inner_join(customers::table.on(customers::id.eq(holds::customer_id)))
            .filter(holds::customer_id.eq(customer.key))
            .filter(holds::hold_id.eq(hold_id.as_str()))
            .select((HoldRow::as_select(), customers::recorded_at))
            .first(&mut conn)
            .await
            .optional()?;
        let Some((row, recorded_at)) = row else { return Ok(None) };
        Ok(Some(Hold::try_from(row)?.at(now.max(recorded_at))))
    }

    /// What was applied to an invoice.
    ///
    /// # Errors
    /// As the database says.
    pub async fn credit_application(
        &self,
        customer: &Customer,
        invoice_id: &InvoiceId,
    ) -> Result<Option<CreditApplication>> {
        let statement = Statement::<GetApplication, ApplicationSqlType, _>::new(
            concat!("SELECT ", application_columns!(), " FROM (SELECT "),
            (customer.key.into_sql::<SqlUuid>(), invoice_id.as_str().into_sql::<Text>()),
            concat!(
                ") AS x(customer_id, invoice_id) JOIN credit_applications a \
                 ON a.customer_id = x.customer_id AND a.invoice_id = x.invoice_id",
                application_draws!()
            ),
        );
        let mut conn = self.readers.get().await?;
        let rows: Vec<ApplicationRow> = statement.load(&mut conn).await?;
        rows.into_iter().next().map(CreditApplication::try_from).transpose()
    }
}
