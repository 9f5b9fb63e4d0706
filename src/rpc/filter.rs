//! The filters of lists and exports.

use super::fields::Fields;
use super::{convert, parse};
use crate::domain::entry::EntryType;
use crate::domain::grant::Status;
use crate::domain::ids::{
    CampaignId, Customer, EventId, GrantId, HoldId, ImportId, InvoiceId, Metric,
};
use crate::store::export::{LedgerFilter, ReportFilter};
use crate::store::{EntryFilter, GrantFilter};
use crate::{limits, pb};

pub(super) fn grants(fields: &mut Fields, request: &pb::ListGrantsRequest) -> GrantFilter {
    let (created_after, created_before) =
        fields.between("created", request.created_after.as_ref(), request.created_before.as_ref());
    GrantFilter {
        customer: fields.take_optional("customer_id", &request.customer_id, Customer::parse),
        monetary: monetary(fields, request.r#type),
        statuses: statuses(fields, &request.statuses),
        currency: fields.take_optional("currency", &request.currency, parse::currency),
        metric: fields.take_optional("metric", &request.metric, Metric::parse),
        import_id: fields.take_optional("import_id", &request.import_id, ImportId::parse),
        campaign_id: fields.take_optional("campaign_id", &request.campaign_id, CampaignId::parse),
        expires_before: fields.time("expires_before", request.expires_before.as_ref()),
        created_after,
        created_before,
    }
}

pub(super) fn report(fields: &mut Fields, request: &pb::ExportCreditReportRequest) -> ReportFilter {
    let (created_after, created_before) =
        fields.between("created", request.created_after.as_ref(), request.created_before.as_ref());
    ReportFilter {
        customer: fields.take_optional("customer_id", &request.customer_id, Customer::parse),
        monetary: monetary(fields, request.r#type),
        statuses: statuses(fields, &request.statuses),
        import_id: fields.take_optional("import_id", &request.import_id, ImportId::parse),
        campaign_id: fields.take_optional("campaign_id", &request.campaign_id, CampaignId::parse),
        created_after,
        created_before,
    }
}

pub(super) fn entries(fields: &mut Fields, request: &pb::ListLedgerEntriesRequest) -> EntryFilter {
    let (recorded_after, recorded_before) = fields.between(
        "recorded",
        request.recorded_after.as_ref(),
        request.recorded_before.as_ref(),
    );
    EntryFilter {
        grant_id: fields.take_optional("grant_id", &request.grant_id, GrantId::parse),
        event_id: fields.take_optional("event_id", &request.event_id, EventId::parse),
        invoice_id: fields.take_optional("invoice_id", &request.invoice_id, InvoiceId::parse),
        hold_id: fields.take_optional("hold_id", &request.hold_id, HoldId::parse),
        types: types(fields, &request.types),
        recorded_after,
        recorded_before,
    }
}

pub(super) fn ledger(fields: &mut Fields, request: &pb::ExportLedgerRequest) -> LedgerFilter {
    let (recorded_after, recorded_before) = fields.between(
        "recorded",
        request.recorded_after.as_ref(),
        request.recorded_before.as_ref(),
    );
    LedgerFilter {
        customer: fields.take_optional("customer_id", &request.customer_id, Customer::parse),
        types: types(fields, &request.types),
        recorded_after,
        recorded_before,
    }
}

fn monetary(fields: &mut Fields, kind: i32) -> Option<bool> {
    match pb::GrantType::try_from(kind) {
        Ok(pb::GrantType::Unspecified) => None,
        Ok(pb::GrantType::Monetary) => Some(true),
        Ok(pb::GrantType::Units) => Some(false),
        Err(_) => {
            fields.fault("type", "must be a known type");
            None
        }
    }
}

fn statuses(fields: &mut Fields, numbers: &[i32]) -> Vec<Status> {
    let mut statuses = Vec::new();
    if too_many(fields, "statuses", numbers.len()) {
        return statuses;
    }
    for (index, number) in numbers.iter().enumerate() {
        match pb::GrantStatus::try_from(*number) {
            Ok(pb::GrantStatus::Pending) => statuses.push(Status::Pending),
            Ok(pb::GrantStatus::Active) => statuses.push(Status::Active),
            Ok(pb::GrantStatus::Exhausted) => statuses.push(Status::Exhausted),
            Ok(pb::GrantStatus::Expired) => statuses.push(Status::Expired),
            Ok(pb::GrantStatus::Voided) => statuses.push(Status::Voided),
            Ok(pb::GrantStatus::Unspecified) | Err(_) => {
                fields.fault(format!("statuses[{index}]"), "must be a known status");
            }
        }
    }
    statuses
}

/// What is looked up for every row is not to be long.
pub(super) fn too_many(fields: &mut Fields, field: &str, values: usize) -> bool {
    let most = limits::FILTER_VALUES_MAX;
    if values > most {
        fields.fault(field, format_args!("must be at most {most}"));
    }
    values > most
}

/// None where no type is named.
fn types(fields: &mut Fields, numbers: &[i32]) -> Option<Vec<EntryType>> {
    let mut types = Vec::new();
    if too_many(fields, "types", numbers.len()) {
        return Some(types);
    }
    for (index, number) in numbers.iter().enumerate() {
        match pb::LedgerEntryType::try_from(*number) {
            Ok(pb::LedgerEntryType::Unspecified) | Err(_) => {
                fields.fault(format!("types[{index}]"), "must be a known type");
            }
            Ok(wanted) => {
                let of = EntryType::ALL.into_iter();
                types.extend(of.filter(|kind| convert::entry_type(*kind) == wanted));
            }
        }
    }
    (!numbers.is_empty()).then_some(types)
}
