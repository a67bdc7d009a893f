//! # A small server on the library
//!
//! It has the routes of the benchmark and little more, so it shows what a program on the library gets:
//! without the trace, the log and the pages of the lesson site. Like the floor, it runs as a child
//! process of the benchmark (`--library`).

use std::io;
use std::time::{Duration, Instant};

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

/// Starts and stops a server in this process, again and again. Returns the medians in a line of
/// text.
pub fn start_and_stop() -> io::Result<String> {
    const ROUNDS: usize = 1000;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let since = Instant::now();
        let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
        starts.push(since.elapsed());
        let since = Instant::now();
        server.stop()?;
        stops.push(since.elapsed());
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[ROUNDS / 2].as_micros()
    };
    let (start, stop) = (median(starts), median(stops));
    Ok(format!("A server in a test: {start} us to start, {stop} us to stop (medians of {ROUNDS})."))
}
