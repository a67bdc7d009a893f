//! Runs the installed nginx as a peer of the benchmark: a process for each core, no log, and no limit
//! that the benchmark reaches. nginx cannot echo.
//!
//! This program binds the port and passes the listener to nginx, as nginx itself does when it is
//! upgraded. So the address is known, and the port reserved, before nginx runs. The start takes half a
//! millisecond longer with this program.

use std::env;
use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    println!("# listening on http://{address}");
    // Next to this program, not in a temporary folder: nothing removes the folder when nginx ends.
    let folder = env::current_exe()?.with_extension("files");
    fs::create_dir_all(&folder)?;
    let files = env::var("FILES").unwrap_or_default();
    fs::write(folder.join("nginx.conf"), configuration(&address, &files))?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "error.log"]);
    // The listener is standard input, and the variable names its descriptor: 0.
    Err(nginx.stdin(Stdio::from(OwnedFd::from(listener))).env("NGINX", "0;").exec().into())
}

fn configuration(address: &str, files: &str) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = paths.iter().map(|path| format!("    {path}_temp_path tmp;\n")).collect();
    format!(
        "daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log crit;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    default_type text/plain;
{paths}    server {{
        listen {address} backlog=4096;
        location = /healthz {{ return 200 ok; }}
        location / {{ root {files}; }}
    }}
}}
"
    )
}
