//! FLOOR 4: what goes on in the background.

pub mod listener;
pub mod sweeper;
