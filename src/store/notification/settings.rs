//! What is the same for all endpoints.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::super::Store;
use super::super::error::Result;
use super::super::schema::notification_settings as settings;
use super::change::{Change, Wanted};
use super::rows::SettingsRow;
use crate::domain::notification::{Threshold, WarningPeriod};
use crate::domain::webhook::Settings;

impl Store {
    /// The settings.
    ///
    /// # Errors
    /// As the database says.
    pub async fn notification_settings(&self) -> Result<Settings> {
        let mut conn = self.readers.get().await?;
        let row = settings::table.select(SettingsRow::as_select());
        let row: SettingsRow = row.first(&mut conn).await?;
        Settings::try_from(&row)
    }

    /// Replaces what is given.
    ///
    /// # Errors
    /// [`NotChanged::Store`].
    pub async fn update_notification_settings(
        &self,
        warnings: Option<Vec<WarningPeriod>>,
        thresholds: Option<Vec<Threshold>>,
    ) -> Change<Settings> {
        let change = self.change(Wanted::default(), |webhooks, now| {
            webhooks.settings.update(warnings, thresholds, now);
            Ok(webhooks.settings.clone())
        });
        change.await
    }
}
