//! # Opens a file below the folder, and no other
//!
//! ```text
//! Linux          openat2: the kernel follows links, but not out of the folder
//!   └ refused    a link with an absolute path may still lead into the folder: its real path is opened
//! other systems  the real path is below the folder; open; it is still, and it is the opened file
//! ```
//! Next: [`variant`](super::variant).

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use log::error;

use crate::sys;

/// The only name with a dot at its start that is served (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// A folder below which files are opened.
#[derive(Debug)]
pub(super) struct Folder {
    /// The real path.
    path: PathBuf,
    /// The folder itself; `None` on a system that opens no files below one.
    handle: Option<File>,
}

/// What a path leads to.
pub(super) enum Opened {
    File(OpenFile),
    Folder,
}

/// An open plain file, and what the system says of it.
pub(super) struct OpenFile {
    pub file: File,
    pub length: u64,
    pub modified: SystemTime,
    pub state: sys::FileState,
}

impl Folder {
    /// Opens the folder itself.
    pub fn at(path: &Path) -> io::Result<Folder> {
        let path = path.canonicalize()?;
        let folder = sys::open_at_once(&path)?;
        if !folder.metadata()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        let handle = sys::open_beneath(&folder, Path::new(".")).ok(); // not on every system
        Ok(Folder { path, handle })
    }

    /// Opens what a relative path leads to.
    pub fn open(&self, relative: &Path) -> Result<Opened, Failure> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let file = match &self.handle {
            Some(handle) => match sys::open_beneath(handle, relative) {
                Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                    let real = self.real_path(relative)?;
                    sys::open_beneath(handle, real.strip_prefix(&self.path).unwrap_or(&real))?
                }
                opened => opened?,
            },
            None => self.open_real_path(relative)?,
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(Opened::Folder);
        }
        if !metadata.is_file() {
            return Err(Failure::Forbidden);
        }
        let (length, state) = (metadata.len(), sys::file_state(&metadata));
        Ok(Opened::File(OpenFile { file, length, modified: metadata.modified()?, state }))
    }

    /// Opens a file where the system does not keep to the folder.
    fn open_real_path(&self, relative: &Path) -> io::Result<File> {
        let real = self.real_path(relative)?;
        let metadata = fs::metadata(&real)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(ErrorKind::PermissionDenied.into()); // to open a device may have an effect
        }
        // On Windows, `.git` may have a second name: `GIT~1`.
        if cfg!(windows) && is_hidden(real.strip_prefix(&self.path).unwrap_or(&real)) {
            return Err(ErrorKind::NotFound.into());
        }
        let file = sys::open_at_once(&real)?;
        match self.real_path(relative)? == real && sys::is_same_file(&file, &real)? {
            true => Ok(file),
            false => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The real path of what a relative path leads to. `NotFound` if it is not below the folder.
    fn real_path(&self, relative: &Path) -> io::Result<PathBuf> {
        let real = self.path.join(relative).canonicalize()?;
        match real.starts_with(&self.path) {
            true => Ok(real),
            false => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The entries of a folder below this one: names, and what the system says of each. An entry that
    /// leads to no file or folder that may be opened is left out, and so is a hidden one.
    pub fn entries(
        &self,
        relative: &Path,
    ) -> Result<impl Iterator<Item = (OsString, Metadata)>, Failure> {
        let entries = fs::read_dir(self.path.join(relative))?;
        Ok(entries.filter_map(move |entry| {
            let entry = entry.ok()?;
            let (name, mut metadata) = (entry.file_name(), entry.metadata().ok()?);
            if is_hidden(Path::new(&name)) {
                return None;
            }
            if metadata.is_symlink() {
                self.open(&relative.join(&name)).ok()?;
                metadata = fs::metadata(entry.path()).ok()?;
            }
            (metadata.is_file() || metadata.is_dir()).then_some((name, metadata))
        }))
    }
}

/// Why no file is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No file has the path, or it is hidden.
    NotFound,
    /// The system does not let this process read it, or it is no plain file.
    Forbidden,
    /// The system lacks descriptors or memory for now.
    Shortage,
    /// The system fails: the disk, for example.
    Broken,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::CrossesDevices => Failure::NotFound,
            ErrorKind::PermissionDenied | ErrorKind::Unsupported => Failure::Forbidden,
            ErrorKind::ResourceBusy => Failure::Shortage,
            _ if sys::is_shortage(&error) => Failure::Shortage,
            _ if sys::is_no_file(&error) => Failure::Forbidden,
            _ => {
                error!("a file cannot be opened: {error}");
                Failure::Broken
            }
        }
    }
}

/// Whether a name in the path begins with a dot.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.components().any(|name| {
        let name = name.as_os_str();
        name.as_encoded_bytes().starts_with(b".") && name != WELL_KNOWN
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_to_open_keep_to_the_folder() {
        let whole = std::env::temp_dir().join(format!("openkitchen-open-{}", std::process::id()));
        let public = whole.join("public");
        fs::create_dir_all(public.join("docs")).unwrap();
        fs::write(public.join("a"), "a").unwrap();
        fs::write(whole.join("secret"), "secret").unwrap();
        for (target, name) in [
            (Path::new("../a"), "docs/inside"),
            (&public.join("a"), "absolute"),
            (Path::new("../secret"), "outside"),
            (&whole.join("secret"), "absolute-outside"),
            (Path::new(".."), "parent"),
        ] {
            symlink(target, public.join(name)).unwrap();
        }
        let folder = Folder::at(&public).unwrap();
        let without_call = Folder { path: folder.path.clone(), handle: None };
        for folder in [&folder, &without_call] {
            let opened = |path: &str| match folder.open(Path::new(path)) {
                Ok(Opened::File(file)) => Ok(file.length),
                Ok(Opened::Folder) => Ok(0),
                Err(why) => Err(why),
            };
            for path in ["a", "docs/inside", "absolute"] {
                assert_eq!(opened(path), Ok(1), "{path}");
            }
            for path in ["", ".", "docs", "docs/"] {
                assert_eq!(opened(path), Ok(0), "{path}");
            }
            for path in ["outside", "absolute-outside", "parent", "parent/secret", "none", "a/b"] {
                assert_eq!(opened(path), Err(Failure::NotFound), "{path}");
            }
            let long = "x".repeat(5000);
            assert_eq!(opened(&long), Err(Failure::NotFound));
            let null = Path::new("/dev/null");
            symlink(null, public.join("null")).unwrap();
            assert!(opened("null").is_err());
            fs::remove_file(public.join("null")).unwrap();
        }
        fs::remove_dir_all(whole).unwrap();
    }
}
