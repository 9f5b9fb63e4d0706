//! SummarizeUsage: usage added up.

use tonic::Status;

use super::fields::Fields;
use super::{Services, convert, status};
use crate::domain::amount::AmountError;
use crate::domain::ids::{Customer, Metric};
use crate::domain::summary::{UsageSummary, Window};
use crate::store::SummaryFilter;
use crate::{limits, pb};

impl Services {
    pub(super) async fn summarize(
        &self,
        request: &pb::SummarizeUsageRequest,
    ) -> Result<pb::SummarizeUsageResponse, Status> {
        let mut fields = Fields::default();
        let customer = fields.take("customer_id", Customer::parse(&request.customer_id));
        let metric = fields.take_optional("metric", &request.metric, Metric::parse);
        let (after, before) = (request.timestamp_after.as_ref(), request.timestamp_before.as_ref());
        let range = fields.required_between("timestamp", after, before);
        let window = fields.take("window", window(request.window));
        let (Some(customer), Some((timestamp_after, timestamp_before)), Some(window)) =
            (customer, range, window)
        else {
            return Err(fields.refuse());
        };
        fields.check()?;
        let filter = SummaryFilter { metric, timestamp_after, timestamp_before, window };
        let most = limits::SUMMARY_ROWS_MAX;
        let ask = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let summed = self.store.summarize_usage(&customer, &filter, ask).await;
        let summed = summed.map_err(status::of_store)?;
        if summed.len() > most {
            return Err(status::too_many_summary_rows(most));
        }
        let rows = summed.into_iter().map(row).collect::<Result<_, _>>();
        let rows = rows.map_err(status::of_arithmetic)?;
        Ok(pb::SummarizeUsageResponse { rows })
    }
}

fn window(number: i32) -> Result<Window, &'static str> {
    match pb::UsageWindow::try_from(number) {
        Ok(pb::UsageWindow::Hour) => Ok(Window::Hour),
        Ok(pb::UsageWindow::Day) => Ok(Window::Day),
        Ok(pb::UsageWindow::All | pb::UsageWindow::Unspecified) => Ok(Window::All),
        Err(_) => Err("must be a known window"),
    }
}

fn row(summary: UsageSummary) -> Result<pb::UsageSummary, AmountError> {
    Ok(pb::UsageSummary {
        metric: summary.metric.to_string(),
        window_start: Some(convert::time(summary.window_start)),
        events: summary.events,
        quantity: summary.quantity.to_string(),
        covered: summary.covered()?.to_string(),
        uncovered: summary.uncovered.to_string(),
        reversed: summary.reversed.to_string(),
    })
}
