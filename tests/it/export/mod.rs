//! ExportCreditReport and ExportLedger.

mod as_of;
mod filters;
mod fire;
mod pages;
