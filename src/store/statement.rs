//! Hand-written statements that are prepared once per connection.
//!
//! `diesel::sql_query` is never cached; a [`Statement`] is, under the type `Id`. Its binds are one
//! tuple, written `$1, $2, …` between `head` and `tail`.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::{QueryResult, RunQueryDsl};

/// A statement with a static identity. `Row` is the SQL type of what it returns.
pub(super) struct Statement<Id, Row, Binds> {
    head: &'static str,
    binds: Binds,
    tail: &'static str,
    types: PhantomData<fn() -> (Id, Row)>,
}

impl<Id, Row, Binds> Statement<Id, Row, Binds> {
    pub(super) fn new(head: &'static str, binds: Binds, tail: &'static str) -> Self {
        Self { head, binds, tail, types: PhantomData }
    }
}

impl<Id: 'static, Row, Binds> QueryId for Statement<Id, Row, Binds> {
    type QueryId = Id;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Id, Row, Binds> Query for Statement<Id, Row, Binds> {
    type SqlType = Row;
}

impl<Id, Row, Binds, Conn> RunQueryDsl<Conn> for Statement<Id, Row, Binds> {}

impl<Id, Row, Binds: QueryFragment<Pg>> QueryFragment<Pg> for Statement<Id, Row, Binds> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.head);
        self.binds.walk_ast(out.reborrow())?;
        out.push_sql(self.tail);
        Ok(())
    }
}
