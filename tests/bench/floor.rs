//! # The floor
//!
//! What the system alone costs: a thread for each connection reads, counts bytes, and writes an
//! answer that it was given. It parses nothing and decides nothing, so no server of this shape can do
//! less. It counts so that sixteen requests that arrive together get sixteen answers, in one write.
//!
//! Where each connection brings one request, making the thread would be most of the cost, and no
//! floor: there two threads accept, read, write and close, one connection after another.
//!
//! It runs as a child of the benchmark (`--floor stay 60`: requests of 60 bytes), so that its
//! time is its own and both sides are loaded from outside. The answer comes through standard input.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A thread's stack: room for the buffer, and for what `std` needs to start it.
const STACK: usize = 64 * 1024;

/// The longest request is the echo's, of 1.1 KiB; it may as well come in one read.
const BUFFER: usize = 2 * 1024;

/// Serves until it is killed. `closes`: each connection brings one request.
pub fn serve(closes: bool, request: usize) -> io::Result<()> {
    let mut answer = Vec::new();
    io::stdin().read_to_end(&mut answer)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("# listening on http://{}", listener.local_addr()?);
    thread::scope(|scope| {
        if closes {
            let door =
                || listener.incoming().flatten().for_each(|guest| drop(once(guest, &answer)));
            scope.spawn(door);
            door();
        }
        for guest in listener.incoming().flatten() {
            let answer = &answer;
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, move || stay(guest, request, answer))?;
        }
        Ok(())
    })
}

fn stay(mut guest: TcpStream, request: usize, answer: &[u8]) -> io::Result<()> {
    guest.set_nodelay(true)?;
    let mut buffer = [0; BUFFER];
    let (mut heard, mut answers) = (0, Vec::new());
    loop {
        heard += match guest.read(&mut buffer)? {
            0 => return Ok(()),
            count => count,
        };
        answers.clear();
        for _ in 0..heard / request {
            answers.extend_from_slice(answer);
        }
        heard %= request;
        guest.write_all(&answers)?;
    }
}

fn once(mut guest: TcpStream, answer: &[u8]) -> io::Result<()> {
    let _ = guest.read(&mut [0; BUFFER])?;
    guest.write_all(answer)
}
