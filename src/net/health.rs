//! # Health: what a proxy asks before it sends requests to this server
//!
//! Before a server stops, it answers 503 at `/healthz` for a while, and everything else as before. So a
//! proxy in front sends new requests to other servers, and none fails.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::message::response::Response;
use crate::message::status::Status;

/// What `/healthz` answers: 200 while the server takes new requests, 503 while it drains. A part of the
/// state.
#[derive(Default)]
pub struct Health {
    is_draining: AtomicBool,
}

impl Health {
    /// Makes the answer 503 from now on.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server drains.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// The response of `/healthz`, which no cache keeps.
    pub fn response(&self) -> Response {
        let response = if self.is_draining() {
            Response::text("draining").status(Status::SERVICE_UNAVAILABLE)
        } else {
            Response::text("ok")
        };
        response.field("Cache-Control", "no-store")
    }
}
