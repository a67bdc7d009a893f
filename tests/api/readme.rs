//! The test that README shows: the code between the two lines of the marker is README's.

use openkitchen::Client;

/// The client under test: it asks, and says what went wrong.
fn my_client(url: &str) -> Result<String, String> {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut client = Client::connect(address).map_err(|error| error.why)?;
    client.send(format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")).map_err(|error| error.why)?;
    client.response().map(|response| response.text().into_owned()).map_err(|error| error.why)
}

// README
use openkitchen::{Answers, Fault, Response, assert_bytes};

#[test]
fn my_client_notices_that_a_response_is_cut() {
    let cut = Response::text("tea").fault(Fault::WrongLength(2));
    let server = Answers::new([cut, Response::text("tea")]).start().unwrap();
    assert!(my_client(&server.url("/menu")).is_err(), "{}", server.exchanges());
    assert_eq!(my_client(&server.url("/menu")).unwrap(), "tea");
    let first = server.exchange(1);
    assert_eq!(first.target(), "/menu", "{first}");
    assert_bytes!(first.request.bytes(), "GET /menu HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(first.response.bytes().ends_with(b"\r\n\r\ntea"), "{first}");
}
// README
