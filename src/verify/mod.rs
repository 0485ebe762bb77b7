//! Speaks WebSocket to any URL: steps with evidence.
