//! # A small server on the library
//!
//! It has the routes of the benchmark and little more, so it shows what a program on the library gets:
//! without the trace, the log and the pages of the lesson site. Like the floor, it runs as a child
//! process of the benchmark (`--library`).

use std::io;

use openkitchen::{Request, Response, Routes, Scheduling, Server, get, post, routes};

static ROUTES: Routes = routes(&[get("/healthz", healthz), post("/echo", echo)]);

fn healthz(_: &Request) -> Response {
    Response::text("ok")
}

fn echo(request: &Request) -> Response {
    Response::bytes("application/octet-stream", request.content().to_vec())
}

/// Serves until it is killed.
pub fn serve() -> io::Result<()> {
    let server = Server::bind("127.0.0.1:0")?.scheduling(Scheduling::Batch);
    println!("# listening on http://{}", server.address()?);
    Ok(server.run(&ROUTES, &())?)
}
