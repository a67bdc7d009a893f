//! The second server: what no handler of the site does. It is this very test program, started again.

use std::io::{self, Read};
use std::process::Command;
use std::time::Duration;
use std::{env, panic, thread};

use openkitchen::{Limits, Request, Response, Routes, Server, get, routes};

static ROUTES: Routes = routes(&[get("/", home), get("/panic", panics), get("/stream", stream)]);

/// What starts it.
pub fn command() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env_clear();
    command.args(["--exact", "fixture::the_second_server", "--ignored", "--nocapture"]);
    command
}

#[test]
#[ignore = "is the server of another test"]
fn the_second_server() {
    // That each of them is told is tested elsewhere, and here they are many.
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
    panic!("as it should")
}

fn stream(_: &Request) -> Response {
    Response::stream("application/octet-stream", Endless)
}

/// A piece of a size that no buffer has, again and again, and half a millisecond to make it.
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_micros(500));
        let piece = buffer.len().min(10_007);
        buffer[..piece].fill(b'x');
        Ok(piece)
    }
}
