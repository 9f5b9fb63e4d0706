//! Rolling up in large batches.

use chrono::TimeDelta;
use creditd::domain::command::Command;
use creditd::limits;

use super::{Books, customer, usage};

/// A batch in which one customer's count is reached twice: what was recorded before it is rolled up
/// once, and none of its own events is.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_rolled_up_once_in_a_batch() {
    let books = Books::open(2_000).await;
    // One of those who are rolled up early.
    let early = (0..1_000).map(customer).find(|customer| {
        let [.., high, low] = *customer.key.as_bytes();
        i64::from(u16::from_be_bytes([high, low])) % limits::ROLLUP_EVENTS < 100
    });
    let early = early.expect("a customer");
    books.batch(&[usage(&early, "before")]).await;
    books.database.roll_up_next().await;
    books.clock.advance_to(books.clock.now() + TimeDelta::hours(1)).expect("a clock");
    let many: Vec<Command> = (0..2_000).map(|n| usage(&early, &format!("e{n}"))).collect();
    books.batch(&many).await;
    let sql = books.database.connect().await;
    let rolled = "SELECT sum(events)::bigint, max(unrolled) FROM usage_rollups, customers";
    let row = sql.query_one(rolled, &[]).await.expect("a row");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 2_000));
    books.close().await;
}
