//! Runs the installed lighttpd as a peer of the benchmark, for files alone: one process, as it is by default,
//! and no log.

use std::env;
use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    // lighttpd takes no listener from another program, so the port is free again for a moment.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let files = env::var("FILES").unwrap_or_default();
    let folder = env::current_exe()?.with_extension("files");
    fs::create_dir_all(&folder)?;
    let path = folder.join("lighttpd.conf");
    let port = address.port();
    let configuration = format!(
        "server.document-root = \"{files}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
         server.max-keep-alive-requests = 1000000000\nserver.max-keep-alive-idle = 300\n"
    );
    fs::write(&path, configuration)?;
    println!("# listening on http://{address}");
    Err(Command::new("lighttpd").arg("-D").arg("-f").arg(path).exec().into())
}
