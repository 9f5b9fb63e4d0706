//! FLOOR 4: what goes on in the background.

pub mod campaigns;
pub mod delivery;
pub mod listener;
pub mod outbox;
pub mod sweeper;
