//! Writes the port file of `serve`, `watch` and `mock`: it tells a program that waits for it the address
//! in use.

use std::net::SocketAddr;
use std::path::Path;
use std::{fs, io, process};

/// The file that `--port-file` names. Without that flag, nothing is written.
pub struct PortFile<'a> {
    path: Option<&'a Path>,
}

impl PortFile<'_> {
    /// Removes the file of an earlier run: a program that waits for the file must not read an old
    /// address. Call this before anything that can fail.
    pub fn prepare(path: Option<&Path>) -> PortFile<'_> {
        if let Some(stale) = path {
            let _ = fs::remove_file(stale);
        }
        PortFile { path }
    }

    /// Writes the bound address.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn write(&self, address: SocketAddr) -> Result<(), String> {
        let Some(path) = self.path else { return Ok(()) };
        write_whole(path, &format!("{address}\n"))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

/// Writes the text under another name and renames that file, so a program that waits for the file reads
/// the whole text.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}", process::id()));
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, file));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}
