//! # Opens a file below the directory, and no other: no path traversal
//!
//! ```text
//! Linux    openat2: the kernel follows links, but not out of the directory
//! Unix     the real path, which is below the directory and has no links: openat, name by name. On Linux too,
//!          for a link with an absolute path, and where a sandbox or an old kernel has no openat2
//! Windows  the real path is below the directory; open; it is still, and it is the opened file
//! ```
//! Next: [`variant`](super::variant).

use std::fs::{self, DirEntry, File, Metadata};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use log::error;

use crate::message::visible::Visible;
use crate::sys;

/// The only name with a dot at its start that is served (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// How long ago a file must have been changed before it is sent. A write is dated when it begins, so one
/// that has begun in this time may still go on, and be seen in the content alone.
const SETTLED_AFTER: Duration = Duration::from_millis(20);

/// Milliseconds of each pause while another program ends its lease on a file; together, about a second.
const PAUSES: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// A directory below which files are opened.
#[derive(Debug)]
pub(super) struct Directory {
    /// The real path that it had when it was opened.
    path: PathBuf,
    /// The directory itself. It stays the same where another one takes its name.
    handle: File,
    /// A path that leads to the handle, whatever the directory's name is by now. `None` without /proc.
    path_of_handle: Option<PathBuf>,
    /// A cache of paths that led to no special file when the system was asked: the hash of each path, in
    /// the slot that the hash names. Most requests are for one of these paths, and save a system call.
    not_special: [AtomicU64; CACHED_PATHS],
}

/// Slots of that cache.
const CACHED_PATHS: usize = 512;

/// An open plain file, and what the system says of it.
pub(super) struct OpenFile {
    /// The path below the directory.
    pub path: PathBuf,
    pub handle: File,
    pub state: sys::FileState,
}

impl Directory {
    /// Opens the directory itself.
    pub fn at(path: &Path) -> io::Result<Directory> {
        let path = path.canonicalize()?;
        let handle = sys::open_nonblocking(&path)?;
        if !handle.metadata()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        let leads_to_it = |path: &PathBuf| sys::is_same_file(&handle, path).unwrap_or(false);
        let path_of_handle = sys::path_of(&handle).filter(leads_to_it);
        let not_special = [const { AtomicU64::new(0) }; CACHED_PATHS];
        Ok(Directory { path, handle, path_of_handle, not_special })
    }

    /// Opens the plain file to which a relative path leads.
    pub fn open(&self, path: PathBuf) -> Result<OpenFile, Failure> {
        let failure = |error| Failure::of(&error, &path);
        let handle = self.open_after_lease(&path).map_err(failure)?;
        let metadata = handle.metadata().map_err(failure)?;
        if metadata.is_dir() {
            return Err(Failure::Directory);
        }
        if !metadata.is_file() {
            // It became a special file after it was cached.
            self.slot(&path).0.store(0, Ordering::Relaxed);
            return Err(Failure::Forbidden);
        }
        let mut state = sys::file_state(&metadata);
        let age = SystemTime::now().duration_since(state.changed).unwrap_or(SETTLED_AFTER);
        if age < SETTLED_AFTER {
            thread::sleep(SETTLED_AFTER - age);
            state = sys::file_state(&handle.metadata().map_err(failure)?);
        }
        Ok(OpenFile { path, handle, state })
    }

    /// Opens a file or a directory. A program that caches a file for others, such as Samba, may have a lease
    /// on it (fcntl(2)). The first try makes the kernel ask that program to end the lease, which takes it
    /// some milliseconds. The kernel gives it 45 seconds (/proc/sys/fs/lease-break-time), too long for a
    /// request to wait.
    fn open_after_lease(&self, relative: &Path) -> io::Result<File> {
        for pause in PAUSES {
            match self.open_any(relative) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(pause));
                }
                opened => return opened,
            }
        }
        self.open_any(relative)
    }

    /// Opens a file or a directory.
    fn open_any(&self, relative: &Path) -> io::Result<File> {
        let relative = or_itself(relative);
        if self.is_special(relative) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        sys::open_beneath(&self.handle, relative).or_else(|error| match error.kind() {
            // The system has no such call, or has refused a link that may lead into the directory: one with
            // an absolute path.
            ErrorKind::Unsupported | ErrorKind::CrossesDevices => self.open_real_path(relative),
            _ => Err(error),
        })
    }

    /// Whether the path leads to a special file: a pipe, a device or a socket. To open one may have an
    /// effect: a tape rewinds, and a program that waits for a reader of a pipe ends.
    fn is_special(&self, relative: &Path) -> bool {
        let (slot, hash) = self.slot(relative);
        if slot.load(Ordering::Relaxed) == hash {
            return false;
        }
        let metadata = fs::metadata(self.path_by_now().join(relative));
        let is_special = metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if !is_special {
            slot.store(hash, Ordering::Relaxed);
        }
        is_special
    }

    /// A path that leads to the directory. Without /proc it is the one of its opening, which may lead to
    /// another directory by now.
    fn path_by_now(&self) -> &Path {
        self.path_of_handle.as_ref().unwrap_or(&self.path)
    }

    /// The slot of a path in the cache, and the hash of the path.
    fn slot(&self, relative: &Path) -> (&AtomicU64, u64) {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(relative.as_os_str());
        (&self.not_special[hash as usize % CACHED_PATHS], hash)
    }

    /// Opens a file or a directory where the system does not keep to the directory.
    fn open_real_path(&self, relative: &Path) -> io::Result<File> {
        let real_path = || self.path_by_now().join(relative).canonicalize();
        let real = real_path()?;
        let renamed = self.path_of_handle.as_ref().map(|path| path.canonicalize()).transpose()?;
        let directory = renamed.as_ref().unwrap_or(&self.path);
        let below = real.strip_prefix(directory).map_err(|_| ErrorKind::NotFound)?;
        match sys::open_without_links(&self.handle, or_itself(below)) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            opened => return opened,
        }
        // On Windows, `.git` may have a second name: `GIT~1`.
        if is_hidden(below) {
            return Err(ErrorKind::NotFound.into());
        }
        let file = sys::open_nonblocking(&real)?;
        let is_it = real_path()? == real && sys::is_same_file(&file, &real)?;
        is_it.then_some(file).ok_or(ErrorKind::NotFound.into())
    }

    /// The entries of a directory below this one that may be listed, each with whether it is a directory. An
    /// entry that leads to no file or directory that may be opened is left out, and so is a hidden one.
    ///
    /// They are those of the open directory. Without /proc, its path must still lead to it.
    pub fn entries(&self, relative: &Path) -> io::Result<impl Iterator<Item = (DirEntry, bool)>> {
        let directory = self.open_any(relative)?;
        let leads_to_it = |path: &PathBuf| sys::is_same_file(&directory, path).unwrap_or(false);
        let mut paths = sys::path_of(&directory).into_iter().chain([self.path.join(relative)]);
        let path = paths.find(leads_to_it).ok_or(ErrorKind::NotFound)?;
        Ok(fs::read_dir(path)?.filter_map(move |entry| {
            let entry = entry.ok().filter(|entry| !is_hidden(Path::new(&entry.file_name())))?;
            let mut kind = entry.file_type().ok()?;
            if kind.is_symlink() {
                kind = self.metadata(relative, &entry)?.file_type();
            }
            (kind.is_file() || kind.is_dir()).then(|| (entry, kind.is_dir()))
        }))
    }

    /// What the system says of an entry of the directory at this relative path, or of what it links to.
    pub fn metadata(&self, relative: &Path, entry: &DirEntry) -> Option<Metadata> {
        let metadata = entry.metadata().ok().filter(|metadata| !metadata.is_symlink());
        metadata.or_else(|| self.open_any(&relative.join(entry.file_name())).ok()?.metadata().ok())
    }
}

/// The path, or that of the directory itself where it is empty.
fn or_itself(relative: &Path) -> &Path {
    if relative.as_os_str().is_empty() { Path::new(".") } else { relative }
}

/// Why no file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The path leads to a directory.
    Directory,
    /// No file has the path, or it is hidden.
    NotFound,
    /// The system does not let this process read it, or it is no plain file.
    Forbidden,
    /// The system lacks descriptors or memory for now, another program does not end its lease on the
    /// file, or too many ask for a listing.
    Shortage,
    /// The system fails: the disk, for example.
    Broken,
}

impl Failure {
    /// What this error of the system means, at this path. One that is no other failure is logged.
    pub fn of(error: &io::Error, path: &Path) -> Failure {
        match error.kind() {
            ErrorKind::IsADirectory => Failure::Directory,
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::CrossesDevices => Failure::NotFound,
            ErrorKind::PermissionDenied | ErrorKind::Unsupported => Failure::Forbidden,
            ErrorKind::WouldBlock | ErrorKind::ResourceBusy => Failure::Shortage,
            _ if sys::is_shortage(error) => Failure::Shortage,
            _ if sys::is_no_file(error) => Failure::Forbidden,
            _ => {
                error!("{} cannot be opened: {error}", shown(path));
                Failure::Broken
            }
        }
    }
}

/// The path for a log.
pub(super) fn shown(path: &Path) -> Visible<'_> {
    Visible(path.as_os_str().as_encoded_bytes())
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
    fn a_file_is_open_when_its_last_write_is_some_time_ago() {
        let path = std::env::temp_dir().join(format!("openkitchen-settled-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a"), "a").unwrap();
        let directory = Directory::at(&path).unwrap();
        let Ok(file) = directory.open("a".into()) else { panic!("no file") };
        let age = SystemTime::now().duration_since(file.state.changed).unwrap();
        assert!(age >= SETTLED_AFTER, "{age:?}");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn both_ways_to_open_keep_to_the_directory() {
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
        let directory = Directory::at(&public).unwrap();
        for open in [Directory::open_any, Directory::open_real_path] {
            let opened = |path: &str| match open(&directory, Path::new(path)) {
                Ok(file) => Ok(file.metadata().unwrap().is_dir()),
                Err(error) => Err(Failure::of(&error, Path::new(path))),
            };
            for path in ["a", "docs/inside", "absolute"] {
                assert_eq!(opened(path), Ok(false), "{path}");
            }
            for path in ["", ".", "docs", "docs/"] {
                assert_eq!(opened(path), Ok(true), "{path}");
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

    #[cfg(target_os = "linux")] // it has /proc
    #[test]
    fn both_ways_to_open_keep_to_the_directory_where_another_one_takes_its_name() {
        let whole = std::env::temp_dir().join(format!("openkitchen-taken-{}", std::process::id()));
        let public = whole.join("public");
        fs::create_dir_all(&public).unwrap();
        fs::write(public.join("a"), "opened").unwrap();
        symlink("a", public.join("link")).unwrap();
        symlink(public.join("new"), public.join("absolute")).unwrap();
        let directory = Directory::at(&public).unwrap();
        fs::rename(&public, whole.join("renamed")).unwrap();
        fs::create_dir(&public).unwrap();
        fs::write(public.join("new"), "new").unwrap();
        for open in [Directory::open_any, Directory::open_real_path] {
            let read =
                |path: &str| io::read_to_string(open(&directory, Path::new(path)).ok()?).ok();
            for path in ["a", "link"] {
                assert_eq!(read(path).as_deref(), Some("opened"), "{path}");
            }
            for path in ["new", "absolute"] {
                assert_eq!(read(path), None, "{path}");
            }
        }
        fs::remove_dir_all(whole).unwrap();
    }
}
