//! # The floor
//!
//! What the system alone costs: a thread for each connection reads, counts bytes, and writes an
//! answer that it was given. It parses nothing and decides nothing, so no server of this shape can do
//! less. It counts so that sixteen requests that arrive together get sixteen answers, in one write.
//!
//! Where each connection brings one request, making the thread would be most of the cost, and no
//! floor: there two threads accept, read, write and close, one connection after another. A thread
//! for each is measured beside it, for that is what the Rust book teaches.
//!
//! It runs as a child of the benchmark (`--floor stay 60`: requests of 60 bytes), so that its
//! time is its own and all sides are loaded from outside. The answer comes through standard input.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::child::Manner;

/// A thread's stack: room for the buffer, and for what `std` needs to start it.
const STACK: usize = 64 * 1024;

/// The longest request is the echo's, of 1.1 KiB; it may as well come in one read.
const BUFFER: usize = 2 * 1024;

/// Serves until it is killed; `request` is the length of one.
pub fn serve(manner: Manner, request: usize) -> io::Result<()> {
    let mut answer = Vec::new();
    io::stdin().read_to_end(&mut answer)?;
    let (answer, listener) = (&answer, TcpListener::bind("127.0.0.1:0")?);
    println!("# listening on http://{}", listener.local_addr()?);
    let guests = || listener.incoming().flatten();
    thread::scope(|scope| {
        let a_thread = || thread::Builder::new().stack_size(STACK);
        match manner {
            Manner::Stay => guests().try_for_each(|guest| {
                let life = move || stay(guest, request, answer);
                a_thread().spawn_scoped(scope, life).map(drop)
            }),
            Manner::Spawn => guests().try_for_each(|guest| {
                a_thread().spawn_scoped(scope, move || once(guest, answer)).map(drop)
            }),
            Manner::Inline => {
                let door = move || guests().for_each(|guest| drop(once(guest, answer)));
                scope.spawn(door);
                door();
                Ok(())
            }
        }
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
