//! # Open Kitchen: the HTTP/1.1 server with glass walls

#![forbid(unsafe_code)]

pub mod message;
pub mod route;
pub mod transcript;

pub use message::limits::Limits;
pub use message::method::Method;
pub use message::response::{BadField, Response};
pub use message::status::Status;
pub use message::target::form;
pub use route::{Handler, Request, Route, Routes, delete, get, patch, post, put, routes};
pub use transcript::Transcript;
