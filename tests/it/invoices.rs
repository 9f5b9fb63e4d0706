//! Invoices: credits applied to them, given back, and both repeated.

mod apply;
mod keys;
mod reverse;
mod validate;

use creditd::pb;

/// What grants pay of an invoice: (grant, amount), in order.
fn paid(application: &pb::CreditApplication) -> Vec<(&str, &str)> {
    let line = |line: &pb::CreditApplicationLine| {
        assert_eq!(line.label, "Credit Applied");
    };
    application.lines.iter().for_each(line);
    application.lines.iter().map(|line| (&*line.grant_id, &*line.amount)).collect()
}

/// An application's figures, in a line.
fn figures(application: &pb::CreditApplication) -> String {
    let pb::CreditApplication { amount_due, amount_applied, amount_remaining, reversed, .. } =
        application;
    format!(
        "{amount_due}: {amount_applied} applied, {amount_remaining} remaining, {reversed} reversed"
    )
}
