//! tiny_http, as a peer of the benchmark: eight threads take requests from one server.

use std::error::Error;
use std::io;
use std::thread;

use tiny_http::{Header, Method, Request, Response, Server};

const THREADS: usize = 8;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::http("127.0.0.1:0")?;
    println!("# listening on http://{}", server.server_addr());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    let _ = respond(request); // it fails if the client has closed
                }
            });
        }
    });
    Ok(())
}

fn respond(mut request: Request) -> io::Result<()> {
    match (request.method(), request.url()) {
        (Method::Get, "/healthz") => request.respond(text(b"ok".to_vec())),
        (Method::Post, "/echo") => {
            let mut content = Vec::new();
            request.as_reader().read_to_end(&mut content)?;
            request.respond(text(content))
        }
        _ => request.respond(Response::empty(404)),
    }
}

fn text(content: Vec<u8>) -> Response<io::Cursor<Vec<u8>>> {
    let kind = Header::from_bytes("Content-Type", "text/plain").expect("a valid field");
    Response::from_data(content).with_header(kind)
}
