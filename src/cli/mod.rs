//! FLOOR 4: client commands, over the generated client.
