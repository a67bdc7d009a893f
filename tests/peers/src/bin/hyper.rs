//! hyper with tokio, as a peer of the benchmark: a thread for each core, and a task for each connection.

use std::error::Error;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// Open Kitchen and nginx have the same backlog. `TcpListener::bind` would set 128, as std does.
const BACKLOG: u32 = 4096;

type FullResponse = Response<Full<Bytes>>;

fn main() -> Result<(), Box<dyn Error>> {
    Runtime::new()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(BACKLOG)?;
    println!("# listening on http://{}", listener.local_addr()?);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        // One write for the responses to pipelined requests.
        let connection = http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service_fn(respond));
        tokio::spawn(connection);
    }
}

async fn respond(request: Request<Incoming>) -> Result<FullResponse, hyper::Error> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => Ok(text("ok".into())),
        (&Method::POST, "/echo") => Ok(text(request.into_body().collect().await?.to_bytes())),
        _ => {
            let mut response = text(Bytes::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

fn text(content: Bytes) -> FullResponse {
    let mut response = Response::new(Full::new(content));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
