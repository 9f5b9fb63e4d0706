//! What is the same for all endpoints: warning periods and thresholds.

use prost_types::Duration as WireDuration;
use tonic::Status;

use super::super::fields::Fields;
use super::super::{Services, parse, status};
use super::convert;
use crate::domain::amount::{Amount, SCALE};
use crate::domain::currency::Currency;
use crate::domain::ids::Metric;
use crate::domain::notification::{Part, Threshold, WarningPeriod};
use crate::{limits, pb};

impl Services {
    pub(super) async fn settings(&self) -> Result<pb::GetNotificationSettingsResponse, Status> {
        let settings = self.store.notification_settings().await.map_err(status::of_store)?;
        let settings = Some(convert::settings(&settings));
        Ok(pb::GetNotificationSettingsResponse { settings })
    }

    pub(super) async fn update_settings(
        &self,
        request: &pb::UpdateNotificationSettingsRequest,
    ) -> Result<pb::UpdateNotificationSettingsResponse, Status> {
        let mut fields = Fields::default();
        let (mut warnings, mut thresholds) = (None, None);
        for path in named(request) {
            match path {
                "expiry_warnings" => {
                    warnings = Some(periods(&mut fields, &request.expiry_warnings));
                }
                "balance_thresholds" => {
                    thresholds = Some(lines(&mut fields, &request.balance_thresholds));
                }
                other => fields.unknown_path(other, "expiry_warnings or balance_thresholds"),
            }
        }
        fields.check()?;
        let updated = self.store.update_notification_settings(warnings, thresholds).await;
        let updated = self.followed(updated.map_err(status::of_not_changed)?).await?;
        let settings = Some(convert::settings(&updated.what));
        Ok(pb::UpdateNotificationSettingsResponse { settings })
    }
}

/// What is to be replaced: what the mask names, or without one what is not empty.
fn named(request: &pb::UpdateNotificationSettingsRequest) -> Vec<&str> {
    match &request.update_mask {
        Some(mask) if !mask.paths.is_empty() => mask.paths.iter().map(String::as_str).collect(),
        _ => {
            let given = [
                ("expiry_warnings", request.expiry_warnings.is_empty()),
                ("balance_thresholds", request.balance_thresholds.is_empty()),
            ];
            given.into_iter().filter(|(_, empty)| !empty).map(|(name, _)| name).collect()
        }
    }
}

fn periods(fields: &mut Fields, given: &[WireDuration]) -> Vec<WarningPeriod> {
    if given.len() > limits::EXPIRY_WARNINGS_MAX {
        let most = limits::EXPIRY_WARNINGS_MAX;
        fields.fault("expiry_warnings", format_args!("must be at most {most}"));
        return Vec::new();
    }
    let mut periods = Vec::with_capacity(given.len());
    for (index, duration) in given.iter().enumerate() {
        let field = format!("expiry_warnings[{index}]");
        let whole = Some(duration.seconds).filter(|_| duration.nanos == 0);
        match whole.and_then(WarningPeriod::from_seconds) {
            Some(period) if periods.contains(&period) => {
                fields.fault(field, "must not be there twice");
            }
            Some(period) => periods.push(period),
            None => {
                let most = limits::EXPIRY_WARNING_MAX.num_days();
                let rule = format_args!("must be whole seconds, above 0 and at most {most} days");
                fields.fault(field, rule);
            }
        }
    }
    periods
}

fn lines(fields: &mut Fields, given: &[pb::BalanceThreshold]) -> Vec<Threshold> {
    if given.len() > limits::BALANCE_THRESHOLDS_MAX {
        let most = limits::BALANCE_THRESHOLDS_MAX;
        fields.fault("balance_thresholds", format_args!("must be at most {most}"));
        return Vec::new();
    }
    let mut lines: Vec<Threshold> = Vec::with_capacity(given.len());
    for (index, threshold) in given.iter().enumerate() {
        let field = format!("balance_thresholds[{index}]");
        let Some(line) = line(fields, &field, threshold) else { continue };
        if lines.iter().any(|other| other.is_same_line(&line)) {
            fields.fault(field, "must not be there twice");
        } else {
            lines.push(line);
        }
    }
    lines
}

fn line(fields: &mut Fields, field: &str, given: &pb::BalanceThreshold) -> Option<Threshold> {
    let of = part(fields, field, given);
    // Without a currency the digits are not known; any amount is then looked at.
    let digits = match &of {
        Some(Part::Currency(currency)) => currency.digits(),
        Some(Part::Metric(_)) | None => SCALE,
    };
    let read = |text: &str| Amount::parse_positive(text, digits);
    let amount = fields.take(&format!("{field}.amount"), read(&given.amount))?;
    let at = format!("{field}.recover_at");
    let recover_at = match given.recover_at.as_str() {
        "" => amount,
        text => fields.take(&at, read(text))?,
    };
    if recover_at < amount {
        fields.fault(at, "must not be below amount");
    }
    Some(Threshold { of: of?, amount, recover_at })
}

/// Exactly one of currency and metric.
fn part(fields: &mut Fields, field: &str, given: &pb::BalanceThreshold) -> Option<Part> {
    let currency: Option<Currency> =
        fields.take_optional(&format!("{field}.currency"), &given.currency, parse::currency);
    let metric = fields.take_optional(&format!("{field}.metric"), &given.metric, Metric::parse);
    match (given.currency.is_empty(), given.metric.is_empty()) {
        (false, true) => currency.map(Part::Currency),
        (true, false) => metric.map(Part::Metric),
        _ => {
            fields.fault(field, "must have exactly one of currency and metric");
            None
        }
    }
}
