//! What the naive model is told and what it answers: plain words of product.md, none of the
//! domain's types. Amounts are counts of 10^-12, instants are counts of microseconds.

mod answers;
mod calls;
mod news;

pub use self::answers::{
    Application, Balance, Event, Hold, HoldStatus, Kind, Line, No, Part, Reply, Reversed, Status,
    Total, View,
};
pub use self::calls::{
    Apply, Aside, Call, Category, Create, Extend, MINUTE, Micros, Notes, ONE, Of, Reverse, Said,
    Scope, Settle, Update, Usage, Void, Windows,
};
pub use self::news::{About, Marks, News, Purse, Threshold, Tiding, Wishes, wants};
