//! NotificationService: who is told of what, and what became of it.

mod away;
mod deliveries;
mod endpoints;
mod interests;
mod once;
mod secrets;
mod settings;
