//! # The floor: a server that parses nothing
//!
//! It shows the cost of the system alone. A thread for each connection reads, counts bytes, and writes
//! a response that it was given. It parses nothing and decides nothing, so no server with a thread for
//! each connection can do less. It counts bytes so that sixteen requests in one read get sixteen
//! responses in one write.
//!
//! With one request for each connection, starting the thread would be most of the cost. So two threads
//! accept, read, write and close, one connection after another. A second floor, with a thread for each
//! connection, is measured too, because the Rust book teaches it.
//!
//! For files it opens the file that each request names, asks for its length, and reads and writes 64 KiB at
//! a time, the head in the first write. It checks nothing.
//!
//! The floor runs as a child process of the benchmark (`--floor stay 60`: requests of 60 bytes), so that
//! its CPU time is its own. It reads the response from standard input.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::child::FloorMode;

/// Bytes of a thread's stack: for the buffer, and for what `std` needs to start the thread.
const STACK_BYTES: usize = 64 * 1024;

/// Bytes of one read. The longest request, of 1.1 KiB, fits.
const BUFFER_BYTES: usize = 2 * 1024;

/// Serves until it is killed. Each request has `request_bytes` bytes.
pub fn serve(mode: FloorMode, request_bytes: usize) -> io::Result<()> {
    let mut response = Vec::new();
    io::stdin().read_to_end(&mut response)?;
    let (response, listener) = (&response, TcpListener::bind("127.0.0.1:0")?);
    println!("# listening on http://{}", listener.local_addr()?);
    let connections = || listener.incoming().flatten();
    thread::scope(|scope| {
        let builder = || thread::Builder::new().stack_size(STACK_BYTES);
        match mode {
            FloorMode::Stay => connections().try_for_each(|stream| {
                let serve = move || serve_all(stream, request_bytes, response);
                builder().spawn_scoped(scope, serve).map(drop)
            }),
            FloorMode::Files => connections().try_for_each(|stream| {
                builder().spawn_scoped(scope, move || serve_files(stream)).map(drop)
            }),
            FloorMode::Spawn => connections().try_for_each(|stream| {
                builder().spawn_scoped(scope, move || serve_one(stream, response)).map(drop)
            }),
            FloorMode::Inline => {
                let accept_loop =
                    move || connections().for_each(|stream| drop(serve_one(stream, response)));
                scope.spawn(accept_loop);
                accept_loop();
                Ok(())
            }
        }
    })
}

/// Answers requests until the client closes the connection.
fn serve_all(mut stream: TcpStream, request_bytes: usize, response: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER_BYTES];
    let (mut received, mut responses) = (0, Vec::new());
    loop {
        received += match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => count,
        };
        responses.clear();
        for _ in 0..received / request_bytes {
            responses.extend_from_slice(response);
        }
        received %= request_bytes;
        stream.write_all(&responses)?;
    }
}

/// Answers one request and closes the connection.
fn serve_one(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    let _ = stream.read(&mut [0; BUFFER_BYTES])?;
    stream.write_all(response)
}

/// Bytes of a file in one write.
const FILE_BYTES: usize = 64 * 1024;

/// Answers requests for files of the working folder, until the client closes the connection.
fn serve_files(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut buffer) = ([0; BUFFER_BYTES], vec![0; FILE_BYTES]);
    loop {
        let count = match stream.read(&mut request)? {
            0 => return Ok(()),
            count => count,
        };
        let path = request[..count].split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let path = str::from_utf8(path).unwrap_or_default().trim_start_matches('/');
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut rest = &mut buffer[..];
        write!(rest, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
        let (mut filled, mut left) = (FILE_BYTES - rest.len(), length);
        while left > 0 {
            let count = file.read(&mut buffer[filled..])?;
            stream.write_all(&buffer[..filled + count])?;
            (filled, left) = (0, left - count as u64);
        }
    }
}
