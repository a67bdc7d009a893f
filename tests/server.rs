//! Tests of the settings of a library server.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use openkitchen::Server;

/// Clients that try to connect.
const CLIENTS: usize = 200;

/// How many clients can connect to a server that accepts none. The kernel completes connections while
/// the backlog has room, and one more. It ignores the next client.
fn connected(address: SocketAddr) -> usize {
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let clients: Vec<TcpStream> = (0..CLIENTS).map_while(connect).collect();
    clients.len()
}

#[test]
fn the_backlog_is_long_or_as_the_caller_has_set_it() {
    let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let allowed: usize = allowed.trim().parse().unwrap();

    let server = Server::bind("127.0.0.1:0").unwrap();
    assert_eq!(connected(server.address().unwrap()), CLIENTS.min(allowed + 1));

    let server = Server::from_listener(TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(connected(server.address().unwrap()), 129, "std's backlog, and one connection more");
}
