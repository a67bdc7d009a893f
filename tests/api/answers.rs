//! Tests of what a handler may answer: raw bytes, fields left out, answers in turn, content that a
//! function writes, an answer before the content is read, and the server's own 404.

use std::io;
use std::time::Duration;

use openkitchen::{
    Answers, DeliveryStep, Request, Response, Routes, Server, ServerHandle, Status, Transcript,
    any, get, message::date, put, routes,
};

use crate::support::client::Client;
use crate::support::process::TIMEOUT;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

/// A server whose clock stands at the RFC's example date.
fn serve<S: Send + Sync + 'static>(routes: &'static Routes<S>, state: S) -> ServerHandle<S> {
    let server = Server::bind("127.0.0.1:0").unwrap().clock(date::example).keep(10);
    server.start(routes, state).unwrap()
}

/// What the server sends to these bytes, up to the end of the connection, which the client
/// half-closes.
fn exchange<S>(server: &ServerHandle<S>, request: impl AsRef<[u8]>) -> String {
    let mut client = Client::connect(server.address());
    client.send(request);
    client.half_close();
    String::from_utf8(client.read_to_end()).unwrap()
}

/// Any request gets the next answer.
static ANY: Routes<Answers> = routes(&[any("/*", |request| request.state().next())]);

/// What the server sends to a request when its handler returns this response.
fn sent(request: &str, response: Response) -> String {
    exchange(&serve(&ANY, Answers::new([response])), request)
}

#[test]
fn a_raw_answer_is_those_bytes_and_no_others() {
    let raw = "HTTP/1.1 299 \u{e9}\r\ncontent-LENGTH: +1\r\n\r\n";
    for method in ["GET", "HEAD"] {
        let request = GET.replace("GET", method);
        assert_eq!(sent(&request, Response::raw(raw.as_bytes())), raw);
        assert_eq!(sent(&request, Response::raw(b"")), "");
    }
}

#[test]
fn after_a_raw_answer_the_connection_goes_on_as_the_request_asked() {
    let raw = b"HTTP/1.1 204 No Content\r\n\r\n";
    let server = serve(&ANY, Answers::new([Response::raw(raw)]));
    let raw = String::from_utf8_lossy(raw);
    assert_eq!(exchange(&server, GET.repeat(3)), raw.repeat(3));
    let closing = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert_eq!(exchange(&server, closing + GET), raw);
    let closing = Response::raw(raw.as_bytes().to_vec()).close();
    assert_eq!(sent(&GET.repeat(2), closing), raw);
}

#[test]
fn steps_wait_and_end_the_connection_where_they_say() {
    use DeliveryStep::{Bytes, Close, HalfClose, Wait};
    let wait = Wait(Duration::from_millis(30));
    let halves = [Bytes(b"HTTP/1.1 204 ".into()), wait.clone(), Bytes(b"N\r\n\r\n".into())];
    let server = serve(&ANY, Answers::new([Response::raw_steps(halves)]));
    assert_eq!(exchange(&server, GET.repeat(2)), "HTTP/1.1 204 N\r\n\r\n".repeat(2));
    let kept = server.exchanges().wait_for(2, TIMEOUT);
    let writes: Vec<_> = kept.iter().map(|it| it.response.reads().to_vec()).collect();
    for writes in writes {
        let [first, second] = writes[..] else { panic!("{writes:?}") };
        assert_eq!((first.length, second.length), (13, 5));
        assert!(second.at - first.at >= Duration::from_millis(30), "{writes:?}");
    }
    for end in [Close, HalfClose] {
        let steps = [Bytes(b"a".into()), end, wait.clone()];
        assert_eq!(sent(&GET.repeat(2), Response::raw_steps(steps)), "a");
    }
}

#[test]
fn a_field_is_left_out_where_the_response_says_so_and_its_framing_stays_true() {
    let text = || Response::text("hello").field("X", "y");
    let rest = "Content-Type: text/plain; charset=utf-8\r\nX: y\r\n";
    let stream = || Response::stream("a/b", &b"hello"[..]).without("Date");
    for (response, head) in [
        (text().without("date"), format!("{rest}Content-Length: 5\r\n")),
        (text().without("x").without("Content-Type"), format!("{DATE}Content-Length: 5\r\n")),
        (text().without("Content-Length"), format!("{DATE}Connection: close\r\n{rest}")),
        (
            stream().without("transfer-encoding"),
            "Connection: close\r\nContent-Type: a/b\r\n".into(),
        ),
        // What has no such field loses none.
        (text().without("Transfer-Encoding"), format!("{DATE}{rest}Content-Length: 5\r\n")),
        (text().close().without("Connection"), format!("{DATE}{rest}Content-Length: 5\r\n")),
        (text().without("Y"), format!("{DATE}{rest}Content-Length: 5\r\n")),
    ] {
        assert_eq!(sent(GET, response), format!("HTTP/1.1 200 OK\r\n{head}\r\nhello"));
    }
    // An answer without a length ends the connection, as it must.
    let response = sent(&GET.repeat(2), text().without("Content-Length"));
    assert_eq!(response.matches("HTTP/1.1").count(), 1, "{response}");
    // No content, no length: the connection stays.
    let empty = Response::new(Status::NO_CONTENT).without("Content-Length").without("Date");
    assert_eq!(sent(&GET.repeat(2), empty), "HTTP/1.1 204 No Content\r\n\r\n".repeat(2));
}

#[test]
fn answers_are_given_in_turn_and_the_last_one_stays() {
    let unavailable = Response::new(Status::SERVICE_UNAVAILABLE).field("Retry-After", "0");
    let server = serve(&ANY, Answers::new([unavailable, Response::text("here")]));
    let statuses = |count: usize| {
        let all = exchange(&server, GET.repeat(count));
        all.split("HTTP/1.1 ").skip(1).map(|it| it[..3].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(3), ["503", "200", "200"]);
    server.state().push(Response::raw(b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n"));
    // The last one was given, so the new one takes its place.
    assert!(exchange(&server, GET).starts_with("HTTP/1.1 404 N\r\n"));
    server.state().push(Response::text("first"));
    server.state().push(Response::text("second"));
    assert!(exchange(&server, GET).ends_with("\r\n\r\nfirst"));
    assert!(exchange(&server, GET).ends_with("\r\n\r\nsecond"));
    // A stream can be read once only.
    let server = serve(&ANY, Answers::new([Response::stream("a/b", &b"once"[..])]));
    assert!(exchange(&server, GET).ends_with("\r\n4\r\nonce\r\n0\r\n\r\n"));
    assert!(exchange(&server, GET).ends_with("\r\n\r\nno answer is left\n"));
}

#[test]
fn answers_serve_any_request_by_themselves() {
    let server = Answers::new([Response::text("tea")]).start().unwrap();
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    for method in methods {
        let response =
            exchange(&server, format!("{method} /{method}?a=b HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{method}: {response}");
        assert_eq!(response.ends_with("\r\n\r\ntea"), method != "HEAD", "{method}: {response}");
    }
    let trace = exchange(&server, GET.replace("GET", "TRACE"));
    assert!(trace.starts_with("HTTP/1.1 405 "), "{trace}");
    let kept = server.exchanges().wait_for(8, TIMEOUT);
    assert!(kept[2].request.bytes().starts_with(b"POST /POST?a=b HTTP/1.1\r\n"));
    assert_eq!(kept.len(), 8);
}

#[test]
fn a_transcript_is_answered_request_by_request_byte_for_byte() {
    let page = "# a page\n\
        >>>\nGET /a HTTP/1.1\nHost: h\n\n\
        <<<\nHTTP/1.1 200 Fine\nx:  y\nContent-Length: 2\n\n--- wait 20ms\n<<<\nab\\\n\
        >>>\nPOST /b HTTP/1.1\nHost: h\nContent-Length: 1\nExpect: 100-continue\n\n\
        <<<\nHTTP/1.1 100 Continue\n\n>>>\nx\\\n\
        <<<\nHTTP/1.1 201 Made\nContent-Length: 0\n\n\
        >>>\nGET /c HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 200 OK\nContent-Length: 9\n\nshort\\\n--- server closed\n";
    let page = Transcript::parse(page).unwrap();
    let server = serve(&ANY, Answers::of(&page).unwrap());
    let expected = "HTTP/1.1 200 Fine\r\nx:  y\r\nContent-Length: 2\r\n\r\nab\
        HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort";
    assert_eq!(exchange(&server, GET.repeat(4)), expected);
    // A page without requests answers any.
    let page = Transcript::parse("<<<\nHTTP/1.1 204 A\n\n<<<\nHTTP/1.1 204 B\n\n").unwrap();
    let server = serve(&ANY, Answers::of(&page).unwrap());
    assert_eq!(exchange(&server, GET.repeat(2)), "HTTP/1.1 204 A\r\n\r\nHTTP/1.1 204 B\r\n\r\n");
    for (page, error) in [
        (">>>\nGET / HTTP/1.1\n\n", "expected a response of the server"),
        ("<<<\nHTTP/1.1 200 OK\n\n\\{9 bytes}\\\n", "block 1 of the server: 9 bytes of this block"),
        (">>>\nGET / HTTP/1.1\n\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 204 A\n\n", "one request in each"),
    ] {
        let answers = Answers::of(&Transcript::parse(page).unwrap());
        assert!(
            answers.as_ref().is_err_and(|it| it.to_string().contains(error)),
            "{page}: {answers:?}"
        );
    }
}

static STREAMS: Routes = routes(&[get("/events", events), get("/large", large), get("/bad", bad)]);

fn events(_: &Request) -> Response {
    Response::written("text/event-stream", |out| {
        for number in 1..=2 {
            write!(out, "id: {number}\ndata: tick\n\n")?;
            out.flush()?;
            out.flush()?; // an empty chunk would end the content
        }
        Ok(())
    })
}

fn large(_: &Request) -> Response {
    Response::written("a/b", |out| out.write_all(&[b'x'; 40_000]))
}

fn bad(request: &Request) -> Response {
    let panics = request.query() == Some("panic");
    Response::written("a/b", move |out| {
        out.write_all(b"begun")?;
        assert!(!panics, "as the test wants");
        Err(io::ErrorKind::InvalidData.into())
    })
}

#[test]
fn what_a_function_writes_is_sent_in_chunks_at_each_flush() {
    let server = serve(&STREAMS, ());
    let ask = |path: &str, version: &str| {
        let all = exchange(&server, format!("GET {path} HTTP/{version}\r\nHost: h\r\n\r\n"));
        all.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let event = |number| format!("id: {number}\ndata: tick\n\n");
    let chunk = |number| format!("12\r\n{}\r\n", event(number));
    assert_eq!(ask("/events", "1.1"), format!("{}{}0\r\n\r\n", chunk(1), chunk(2)));
    assert_eq!(ask("/events", "1.0"), event(1) + &event(2));
    let large = ask("/large", "1.1");
    let sizes: Vec<&str> =
        large.lines().filter(|line| line.len() < 9 && !line.is_empty()).collect();
    assert_eq!(sizes, ["4000", "4000", "1c40", "0"]);
    // What was written arrives, and the last chunk does not.
    for path in ["/bad", "/bad?panic"] {
        assert_eq!(ask(path, "1.1"), "5\r\nbegun\r\n", "{path}");
    }
}

static EARLY: Routes = routes(&[put("/early", early).before_content(), put("/late", early)]);

fn early(request: &Request) -> Response {
    Response::text(format!("{} bytes", request.content().len()))
}

#[test]
fn a_route_may_answer_before_the_content_is_read() {
    let server = serve(&EARLY, ());
    let put = |path: &str, fields: &str| format!("PUT {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    // The content has not arrived, and does not: no other route would answer.
    let mut client = Client::connect(server.address());
    client.send(put("/early", "Content-Length: 5\r\n"));
    assert_eq!(client.response().text(), "0 bytes");
    // The server has dropped the content, and the connection goes on.
    client.send("hello");
    client.send(put("/late", "Content-Length: 2\r\n") + "hi");
    assert_eq!(client.response().text(), "2 bytes");
    // A client that waits for 100 Continue gets the answer instead, and sends none.
    client.send(put("/early", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (200, Some("close")));
    assert_eq!(client.read_to_end(), b"");
    // Too much to drop: the answer says that the connection closes.
    let mut client = Client::connect(server.address());
    client.send(put("/early", "Content-Length: 100000\r\n"));
    assert_eq!(client.response().field("connection"), Some("close"));
}

static POSTS: Routes = routes(&[get("/posts/*", one)]);
static POSTS_WITH_A_PAGE: Routes = routes(&[get("/posts/*", one)]).fallback(page);

fn one(request: &Request) -> Response {
    match request.rest().parse::<u32>() {
        Ok(number) => Response::text(number.to_string()),
        Err(_) => request.not_found(),
    }
}

fn page(_: &Request, status: Status) -> Response {
    Response::html(format!("<p>{status}"))
}

#[test]
fn a_handler_can_answer_with_the_404_of_the_server() {
    for routes in [&POSTS, &POSTS_WITH_A_PAGE] {
        let server = serve(routes, ());
        let get = |path: &str| exchange(&server, GET.replace("GET /", &format!("GET {path}")));
        assert!(get("/posts/7").ends_with("\r\n\r\n7"));
        let (by_table, by_handler) = (get("/x"), get("/posts/x"));
        assert!(by_table.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert_eq!(by_table, by_handler);
    }
}
