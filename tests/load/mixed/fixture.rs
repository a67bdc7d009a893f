//! The second server of the mixed soak: its handlers panic and stream without end, as no handler of the
//! site does. It is the same test program, started again.

use std::io::{self, Read};
use std::process::Command;
use std::time::Duration;
use std::{panic, thread};

use openkitchen::{Limits, Request, Response, Routes, Server, get, routes};

use crate::support::process;

static ROUTES: Routes = routes(&[get("/", home), get("/panic", panics), get("/stream", stream)]);

/// The command that starts it.
pub fn command() -> Command {
    process::this_test_program("mixed::fixture::run_the_second_server")
}

#[test]
#[ignore = "is the server of another test"]
fn run_the_second_server() {
    if !process::is_started_by_a_test() {
        return;
    }
    // Panics are frequent here, so they are not printed. endurance.rs checks the log.
    panic::set_hook(Box::new(|_| {}));
    let limits = Limits { write_timeout: Duration::from_secs(1), ..Limits::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    println!("# listening on http://{}", server.address().unwrap());
    server.run(&ROUTES, &()).unwrap();
}

fn home(_: &Request) -> Response {
    Response::text("hello")
}

fn panics(_: &Request) -> Response {
    panic!("on purpose")
}

fn stream(_: &Request) -> Response {
    Response::stream("application/octet-stream", Endless)
}

/// A stream without end. Each read takes half a millisecond, and gives a number of bytes that is the
/// size of no buffer.
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_micros(500));
        let length = buffer.len().min(10_007);
        buffer[..length].fill(b'x');
        Ok(length)
    }
}
