//! Tests of `Routes::fallback`: the handler for the requests that no row answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use openkitchen::{Request, Response, Routes, Server, ServerHandle, Status, get, routes};

static ROUTES: Routes = routes(&[get("/", home)]).fallback(no_route);

fn home(_: &Request) -> Response {
    Response::text("home")
}

fn no_route(request: &Request, status: Status) -> Response {
    match &*request.path() {
        "/moved" => Response::see_other("/"),
        "/panic" => panic!("a fault of this handler"),
        path => Response::text(format!(
            "{} {path} {status} {}",
            request.method(),
            request.content().len()
        )),
    }
}

/// The bytes that a server answers to these, without the lines that say Date.
fn answer(address: SocketAddr, bytes: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

fn start(routes: &'static Routes) -> ServerHandle {
    Server::bind("127.0.0.1:0").unwrap().start(routes, ()).unwrap()
}

#[test]
fn the_fallback_answers_404_and_405_and_the_server_adds_allow() {
    let server = start(&ROUTES);
    for (request, expected) in [
        (
            "GET /a%20b?c HTTP/1.0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n\r\n\
             GET /a b 404 Not Found 0",
        ),
        (
            "DELETE / HTTP/1.0\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD, OPTIONS\r\n\
             Content-Length: 33\r\n\r\nDELETE / 405 Method Not Allowed 0",
        ),
        (
            "HEAD /b HTTP/1.0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 23\r\n\r\n",
        ),
        // OPTIONS of a path that is there is answered by the table.
        (
            "OPTIONS / HTTP/1.0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nConnection: close\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n",
        ),
        // A status of the handler's own stays, also for another method of a path that is there.
        (
            "PUT /moved HTTP/1.0\r\n\r\n",
            "HTTP/1.1 303 See Other\r\nConnection: close\r\nLocation: /\r\n\
             Content-Length: 0\r\n\r\n",
        ),
    ] {
        assert_eq!(answer(server.address(), request), expected, "{request}");
    }
}

#[test]
fn the_content_is_not_read_for_the_fallback_and_the_connection_stays() {
    let server = start(&ROUTES);
    let post = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd";
    let get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = answer(server.address(), &format!("{post}{get}"));
    assert!(answer.contains("\r\n\r\nPOST /b 404 Not Found 0HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhome"), "{answer}");
}

#[test]
fn a_panic_of_the_fallback_is_a_500() {
    let server = start(&ROUTES);
    for _ in 0..2 {
        let answer = answer(server.address(), "GET /panic HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answer}");
    }
}

#[test]
fn a_table_of_run_time_has_a_fallback_too() {
    let routes = Routes::new(vec![get("/", home)]).unwrap().fallback(no_route);
    let server = start(Box::leak(Box::new(routes)));
    let answer = answer(server.address(), "GET /b HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nGET /b 404 Not Found 0"), "{answer}");
}
