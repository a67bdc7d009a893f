//! Tests of the path of a file that a request names, over a socket.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use openkitchen::{Request, Response, Routes, Server, Status, get, routes};

static ROUTES: Routes<PathBuf> = routes(&[get("/files/*", file), get("/bytes/*", bytes)]);

fn file(request: &Request<PathBuf>) -> Response {
    match request.file_below(request.state()).and_then(|path| fs::read(path).ok()) {
        Some(bytes) => Response::bytes("application/octet-stream", bytes),
        None => Response::text("none").status(Status::NOT_FOUND),
    }
}

fn bytes(request: &Request<PathBuf>) -> Response {
    let (path, rest) = (request.path_bytes(), request.rest_bytes());
    Response::text(format!("{} {}", path.escape_ascii(), rest.escape_ascii()))
}

#[test]
fn a_file_is_served_from_below_its_folder_and_from_nowhere_else() {
    let folder = std::env::temp_dir().join(format!("openkitchen-api-{}", std::process::id()));
    let public = folder.join("public");
    fs::create_dir_all(&public).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    fs::write(public.join("a b"), "file").unwrap();
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, public).unwrap();
    for (target, content) in [
        ("/files/a%20b", "file"),
        ("/files/a%20b/", "none"),
        ("/files/", "none"),
        ("/files/../secret", "none"),
        ("/files/%2e%2e/secret", "none"),
        ("/files/..%2Fsecret", "none"),
        ("/files//etc/hostname", "none"),
        ("/bytes/%FF", r"/bytes/\xff \xff"),
        ("/bytes/%FE%2F..", r"/bytes/\xfe%2F.. \xfe%2F.."),
    ] {
        let mut client = TcpStream::connect(server.address()).unwrap();
        write!(client, "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{content}")), "{target}: {response}");
    }
    drop(server);
    fs::remove_dir_all(folder).unwrap();
}
