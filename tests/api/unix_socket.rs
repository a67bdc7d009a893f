//! Tests of servers and mocks that listen on a Unix socket.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::sys::set_backlog;
use openkitchen::{Limits, Listener, Mock, Request, Response, Routes, Server, get, routes};

use crate::support::client::Client;
use crate::support::process::{Folder, TIMEOUT};

static ROUTES: Routes = routes(&[get("/", home)]);

fn home(request: &Request) -> Response {
    Response::text(request.peer().to_string())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// A connection to a Unix socket.
fn connect(path: &Path) -> Client {
    let stream = TcpStream::from(OwnedFd::from(UnixStream::connect(path).unwrap()));
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    Client::from(stream)
}

#[test]
fn requests_are_answered_as_on_tcp_and_the_client_has_no_address() {
    let folder = Folder::new();
    let path = folder.file("sock");
    let server = Server::bind_path(&path).unwrap().start(&ROUTES, ()).unwrap();
    assert_eq!(server.address().to_string(), "0.0.0.0:0");
    let mut client = connect(&path);
    for _ in 0..2 {
        client.send(GET);
        assert_eq!(client.response().text(), "0.0.0.0:0");
    }
    client.send([GET, GET].concat());
    client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    let rest = String::from_utf8(client.read_to_end()).unwrap();
    assert_eq!((rest.matches(" 200 OK").count(), rest.matches(" 400 Bad").count()), (2, 1));
    // A client that has half-closed is answered.
    let mut client = connect(&path);
    client.send(GET);
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert!(client.read_to_end().starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn the_deadlines_hold_also_after_many_connections() {
    let folder = Folder::new();
    let path = folder.file("sock");
    let short = Duration::from_millis(200);
    let limits = Limits { idle_timeout: short, head_timeout: short, ..Limits::default() };
    let server = Server::bind_path(&path).unwrap().limits(limits).start(&ROUTES, ()).unwrap();
    // On TCP, the first 4,096 connections of a server get their options one by one.
    for _ in 0..4200 {
        drop(UnixStream::connect(&path).unwrap());
    }
    let mut idle = connect(&path);
    assert_eq!(idle.read_to_end(), b"");
    let mut slow = connect(&path);
    slow.send("GET / HT");
    assert!(slow.read_to_end().starts_with(b"HTTP/1.1 408 "));
    server.stop().unwrap();
}

#[test]
fn at_the_limit_the_oldest_idle_connection_is_closed() {
    let folder = Folder::new();
    let path = folder.file("sock");
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Server::bind_path(&path).unwrap().limits(limits).start(&ROUTES, ()).unwrap();
    let mut before = connect(&path);
    before.send(GET);
    assert_eq!(before.response().status, 200);
    let since = Instant::now();
    loop {
        let mut next = connect(&path);
        next.send(GET);
        // On a busy machine a new one may be refused before the idle one has ended.
        if next.response_or_end().is_some_and(|response| response.status == 200) {
            break;
        }
        assert!(since.elapsed() < TIMEOUT);
    }
    assert_eq!(before.read_to_end(), b"");
    server.stop().unwrap();
}

#[test]
fn a_stop_answers_what_has_arrived_and_removes_the_file() {
    for _ in 0..20 {
        let folder = Folder::new();
        let path = folder.file("sock");
        let server = Server::bind_path(&path).unwrap().start(&ROUTES, ()).unwrap();
        let mut clients: Vec<Client> = (0..8).map(|_| connect(&path)).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        let since = Instant::now();
        server.stop().unwrap();
        assert!(since.elapsed() < TIMEOUT / 5, "{:?}", since.elapsed());
        for mut client in clients {
            assert_eq!(client.response().status, 200);
        }
        assert!(!path.exists());
    }
}

#[test]
fn one_server_listens_on_both_kinds() {
    let folder = Folder::new();
    let path = folder.file("sock");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    // The file of a listener that the caller has made is the caller's.
    let unix = UnixListener::bind(&path).unwrap();
    unix.set_nonblocking(true).unwrap();
    let server = Server::from_listeners(vec![tcp.into(), unix.into()]);
    assert_eq!(server.address().unwrap(), address);
    let server = server.start(&ROUTES, ()).unwrap();
    for mut client in [Client::connect(address), connect(&path)] {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    server.stop().unwrap();
    assert!(path.exists());
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_file_that_an_ended_server_has_left_is_replaced_and_no_other() {
    let folder = Folder::new();
    let path = folder.file("sock");
    drop(UnixListener::bind(&path).unwrap()); // std removes no file
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    let server = Server::bind_path(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let refused = |path: &Path| Server::bind_path(path).err().unwrap();
    let taken = refused(&path);
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    let sentence = format!("cannot listen at unix:{}: a server listens there, ", path.display());
    assert!(taken.to_string().starts_with(&sentence), "{taken}");
    // Another file in its place is not removed.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "text").unwrap();
    drop(server);
    assert_eq!(refused(&path).kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read(&path).unwrap(), b"text");
    // A server whose backlog is full lets a connection wait.
    let busy = folder.file("busy");
    let listener = Listener::from(UnixListener::bind(&busy).unwrap());
    set_backlog(&listener, 0).unwrap();
    let client = UnixStream::connect(&busy).unwrap();
    assert_eq!(refused(&busy).kind(), ErrorKind::AddrInUse);
    drop((client, listener));
    assert_eq!(refused(&folder.file("none/sock")).kind(), ErrorKind::NotFound);
    assert_eq!(refused(Path::new("")).kind(), ErrorKind::InvalidInput);
    assert_eq!(refused(&folder.file(&"x".repeat(200))).kind(), ErrorKind::InvalidInput);
}

#[test]
fn of_starts_at_the_same_time_beside_a_stale_file_one_wins() {
    for _ in 0..50 {
        let folder = Folder::new();
        let path = folder.file("sock");
        drop(UnixListener::bind(&path).unwrap());
        let started: Vec<Option<Listener>> = thread::scope(|scope| {
            let start = || Listener::bind_path(&path).ok();
            let starts = [(); 4].map(|()| scope.spawn(start));
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let listeners: Vec<Listener> = started.into_iter().flatten().collect();
        assert_eq!(listeners.len(), 1);
        drop(UnixStream::connect(&path).expect("the file is that of the listener"));
    }
}

#[test]
fn a_folder_that_is_locked_for_long_keeps_no_start_waiting() {
    let folder = Folder::new();
    let locked = fs::File::open(folder.file("")).unwrap();
    locked.lock().unwrap();
    let since = Instant::now();
    Listener::bind_path(folder.file("sock")).unwrap();
    assert!(since.elapsed() < TIMEOUT, "{:?}", since.elapsed());
}

#[test]
fn a_mock_listens_on_it_too() {
    let folder = Folder::new();
    let path = folder.file("sock");
    let mock = Mock::parse(">>>\nGET /tea HTTP/1.1\n\n<<<\nHTTP/1.1 204 No Content\n\n").unwrap();
    let listener = Listener::bind_path(&path).unwrap();
    let client = thread::spawn(move || {
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"GET /tea HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        response
    });
    let verdict = mock.play(listener, |event| print!("{event}")).unwrap();
    assert_eq!(format!("{verdict:?}"), "AsWritten");
    assert_eq!(client.join().unwrap(), "HTTP/1.1 204 No Content\r\n\r\n");
}
