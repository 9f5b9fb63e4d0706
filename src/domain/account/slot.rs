//! Grants and holds in hand, beside their rows.

use std::sync::Arc;

use crate::domain::grant::Grant;
use crate::domain::hold::Hold;
use crate::domain::time::Timestamp;

/// How a grant in hand differs from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dirt {
    Clean,
    Figures,
    Terms,
    New,
}

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) grant: Grant,
    pub(super) dirt: Dirt,
    /// Whether its row says that it is open.
    pub(super) open: bool,
    /// When it falls due, as its row says.
    pub(super) due_at: Option<Timestamp>,
    /// Whether the levels count it as live.
    pub(super) live: bool,
}

impl Slot {
    /// A grant as its row has it.
    pub(super) fn stored(grant: Grant, open: bool) -> Self {
        Self { grant, dirt: Dirt::Clean, open, due_at: None, live: false }
    }
}

#[derive(Debug, Clone)]
pub(super) struct HoldSlot {
    pub(super) hold: Arc<Hold>,
    /// Never [`Dirt::Figures`].
    pub(super) dirt: Dirt,
}
