//! Runs the installed darkhttpd as a peer of the benchmark, for files alone: one process, and no log.

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    // darkhttpd takes no listener from another program, so the port is free again for a moment.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let files = env::var("FILES").unwrap_or_default();
    println!("# listening on http://{address}");
    let port = address.port().to_string();
    let mut command = Command::new("darkhttpd");
    command.arg(files).args(["--addr", "127.0.0.1", "--port", &port]).args(["--log", "/dev/null"]);
    Err(command.exec().into())
}
