//! What the database knows of a customer, besides the grants.

use diesel::prelude::Queryable;
use diesel::sql_types::{BigInt, Timestamptz};

use crate::domain::account::{Rolled, Standing};
use crate::domain::time::Timestamp;

/// The columns of a [`StandingRow`], of a customer called `c`.
macro_rules! standing_columns {
    () => {
        "c.revision, c.version, c.recorded_at, c.rolled_until, c.unrolled"
    };
}
pub(super) use standing_columns;

/// The SQL type of a [`StandingRow`].
pub(super) type StandingSqlType = (BigInt, BigInt, Timestamptz, Timestamptz, BigInt);

#[derive(Debug, Queryable)]
pub(super) struct StandingRow {
    pub revision: i64,
    pub version: i64,
    pub recorded_at: Timestamp,
    pub rolled_until: Timestamp,
    pub unrolled: i64,
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        let StandingRow { revision, version, recorded_at, rolled_until, unrolled } = row;
        let rolled = Rolled { until: rolled_until, unrolled };
        Self { revision, version, recorded_at, rolled }
    }
}
