//! Large files that `serve` sends to many slow clients, and to one that reads all of it.

use std::fs::File;
use std::io::Read;

use crate::support::client::Client;
use crate::support::latency::wait_until;
use crate::support::process::{Folder, ServerProcess, TIMEOUT, openkitchen};
use crate::support::resources::Resources;

/// KiB of memory that a slow client may add.
const MAX_KIB_EACH: usize = 200;

/// A server of a folder with a file of this length, which takes no space on the disk.
fn server_of(folder: &Folder, length: u64) -> ServerProcess {
    File::create(folder.file("large")).unwrap().set_len(length).unwrap();
    File::create(folder.file("index.html")).unwrap();
    let mut command = openkitchen("serve --listen 127.0.0.1:0 --log off");
    ServerProcess::start(command.arg(folder.file("")))
}

/// A client that has asked for the file.
fn client_of(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send("GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client
}

#[test]
fn a_hundred_slow_clients_of_a_large_file_take_little_memory_each() {
    let folder = Folder::new();
    let server = server_of(&folder, 1 << 30);
    let before = Resources::after_first_client(&server);
    let mut clients: Vec<Client> = (0..100).map(|_| client_of(&server)).collect();
    let mut bytes = vec![0; 64 * 1024];
    // As they read on, the memory stays as it is.
    for round in 1..=16 {
        for client in &mut clients {
            client.stream.read_exact(&mut bytes).unwrap();
        }
        let now = Resources::of(server.id());
        let each = now.rss.saturating_sub(before.rss) / clients.len();
        if round % 8 == 0 {
            println!("after {round} x 64 KiB: {each} KiB for each of {} clients", clients.len());
        }
        assert!(each < MAX_KIB_EACH, "{each} KiB each; before: {before}; now: {now}");
    }
    // Another client is served meanwhile.
    assert_eq!(server.get("/").status, 200);
    // Their files are closed with them.
    drop(clients);
    let are_closed = || Resources::of(server.id()).descriptors <= before.descriptors;
    assert!(wait_until(TIMEOUT, are_closed), "{}", Resources::of(server.id()));
}

#[test]
#[ignore = "reads 5 GiB"]
fn a_file_of_five_gib_arrives_whole() {
    let folder = Folder::new();
    let length = (5 << 30) + 7_u64;
    let server = server_of(&folder, length);
    let (mut client, mut bytes, mut received) = (client_of(&server), vec![0; 1 << 20], 0);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        client.stream.read_exact(&mut bytes[..1]).unwrap();
        head.push(bytes[0]);
    }
    let expected = format!("\r\nContent-Length: {length}\r\n");
    assert!(String::from_utf8(head).unwrap().contains(&expected));
    loop {
        match client.stream.read(&mut bytes).unwrap() {
            0 => break,
            count => received += count as u64,
        }
    }
    assert_eq!(received, length);
    println!("{received} bytes; {}", Resources::of(server.id()));
}
