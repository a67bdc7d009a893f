//! # The book: one line a like
//!
//! A file that is only ever added to. So the one thing that a power cut can do to it is to leave
//! the last lines unfinished, and for those nobody was told "stored" yet.
//!
//! ```text
//! openkitchen likes 1␊    what file this is, and the version of its format
//! 0000000004 5a8063a1␊    one like: the post, a check over its digits; 20 bytes, like every line
//! ```
//! [`LikesFile::open`] finds torn lines by their check and cuts them off; [`LikesFile::append`] leaves none
//! behind when the disk is full. One process owns the file: two would write over each other's
//! lines.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first line. It keeps us from "repairing" a file that was never ours.
const HEADER: &[u8; LINE_BYTES] = b"openkitchen likes 1\n";

const LINE_BYTES: usize = 20;

/// The open file, locked for us until it is closed: at the end of the process, too, however that
/// ends.
pub struct LikesFile {
    file: File,
    path: PathBuf,
    /// That likes cannot be stored was told, and none has been stored since.
    is_told: AtomicBool,
}

/// What a book held when it was opened.
#[derive(Debug, PartialEq)]
pub struct LoadedLikes {
    /// Likes by post.
    pub counts: BTreeMap<u32, u64>,
    /// The file's length in bytes, all of it good.
    pub length: u64,
}

/// Why a like was not stored. The count did not move.
#[derive(Clone, Debug, PartialEq)]
pub enum LikeError {
    /// No room: the disk, the quota, or what a file may hold.
    Full,
    /// Anything else, in the system's words.
    Failed(String),
}

impl fmt::Display for LikeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LikeError::Full => {
                f.write_str("The like was not stored: there is no room left on the disk.")
            }
            LikeError::Failed(why) => {
                write!(f, "The like was not stored: the disk answered \"{why}\".")
            }
        }
    }
}

impl LikesFile {
    /// Opens the book at `path`, makes it if need be, repairs its end.
    pub fn open(path: &Path) -> io::Result<(LikesFile, LoadedLikes)> {
        let folder =
            path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        make_folder(folder)?;
        if path.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "a folder; name a file in it"));
        }
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        if !file.metadata()?.is_file() {
            // A pipe or a device has no length, and no end to cut.
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a plain file"));
        }
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                ErrorKind::WouldBlock,
                "another openkitchen keeps its likes here; stop that one, or name another file \
                 with --data",
            ),
            TryLockError::Error(error) => error,
        })?;

        let mut first = Vec::new();
        (&file).take(LINE_BYTES as u64 + 1).read_to_end(&mut first)?;
        let found = if first.starts_with(HEADER) {
            repair(&mut file, path)?
        } else if first.len() <= LINE_BYTES && HEADER.starts_with(without_zeros(&first)) {
            begin(&mut file, folder)?
        } else {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "not a file of likes, so it is left as it is",
            ));
        };
        Ok((LikesFile { file, path: path.to_owned(), is_told: AtomicBool::new(false) }, found))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `lines` behind the first `length` bytes, and on the disk. Where that fails, the file is
    /// as it was. A disk that goes on failing is told once: its log may lie on it, too.
    pub fn append(&self, length: u64, lines: &[u8]) -> Result<(), LikeError> {
        let written = self.try_append(length, lines);
        let was_told = self.is_told.swap(written.is_err(), Ordering::Relaxed);
        written.map_err(|error| {
            let path = self.path.display();
            if !was_told {
                log::error!("{path}: likes cannot be stored for now: {error}");
            }
            // What is left of them must not be found and counted at the next start, for their
            // guests are told 5xx now. If this fails too, the next try begins with it.
            let cut_back = self.file.set_len(length);
            if let (Err(error), false) = (cut_back, was_told) {
                log::error!("{path}: not cut back to {length} bytes: {error}");
            }
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    LikeError::Full
                }
                _ => LikeError::Failed(error.to_string()),
            }
        })
    }

    fn try_append(&self, length: u64, lines: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
        }
        file.seek(SeekFrom::Start(length))?;
        file.write_all(lines)?;
        // fdatasync: the bytes, and of the rest what is needed to find them again (the new length,
        // not the time).
        file.sync_data()
    }
}

/// Reads the whole book and cuts off what was never finished.
fn repair(file: &mut File, path: &Path) -> io::Result<LoadedLikes> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (found, passed) = read(&bytes);
    if passed > 0 {
        // Not what an interruption leaves, but a failing disk or a hand. The lines around them
        // still count.
        log::warn!("{}: {passed} damaged lines are passed over", path.display());
    }
    let torn = bytes.len() as u64 - found.length;
    if torn > 0 {
        log::warn!(
            "{}: the last {torn} bytes are a line never finished, and are cut off",
            path.display()
        );
        file.set_len(found.length)?;
    }
    // A server that was killed may have written lines that it never came to sync. From here on they
    // count, so now they are synced.
    file.sync_all()?;
    Ok(found)
}

/// A new book, or one whose maker was interrupted. The folder is synced too: a name is its folder's
/// content, and what good are lines on the disk in a file without a name?
fn begin(file: &mut File, folder: &Path) -> io::Result<LoadedLikes> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(HEADER)?;
    file.sync_all()?;
    sync_folder(folder)?;
    Ok(LoadedLikes { counts: BTreeMap::new(), length: LINE_BYTES as u64 })
}

/// What stands in the bytes of a book, and how many damaged lines lie between good ones.
fn read(bytes: &[u8]) -> (LoadedLikes, usize) {
    let mut found = LoadedLikes { counts: BTreeMap::new(), length: LINE_BYTES as u64 };
    let (mut at, mut damaged, mut passed) = (LINE_BYTES, 0, 0);
    for line in bytes[LINE_BYTES..].split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if let Some(post) = parse(line) {
            *found.counts.entry(post).or_default() += 1;
            found.length = at as u64;
            passed = damaged;
        } else {
            damaged += 1;
        }
    }
    (found, passed)
}

/// A file that has grown but whose bytes never came reads as zeros.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
}

/// One like as a line.
pub fn print(post: u32) -> [u8; LINE_BYTES] {
    let digits = format!("{post:010}");
    let mut line = [b'\n'; LINE_BYTES];
    line[..LINE_BYTES - 1]
        .copy_from_slice(format!("{digits} {:08x}", check(digits.as_bytes())).as_bytes());
    line
}

/// The mirror of [`print`]: the post, if this is such a line to the last byte.
fn parse(line: &[u8]) -> Option<u32> {
    let post = str::from_utf8(line.get(..10)?).ok()?.parse().ok()?;
    (print(post) == line).then_some(post)
}

/// FNV-1a, 32 bits: finds a torn line. It is no seal: who may write the file may write likes.
fn check(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Makes a folder and those above it, and has the disk remember each.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() || folder == Path::new(".") {
        return Ok(());
    }
    let above = folder.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
    make_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some filesystems cannot sync a folder and say so.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
pub mod tests {
    use std::env;
    use std::ops::Deref;
    use std::process;

    use super::*;

    /// A path of this test's own, where nothing is, and where nothing is left.
    pub struct Scratch(PathBuf);

    pub fn scratch(name: &str) -> Scratch {
        let path = env::temp_dir().join(format!("openkitchen-likes-{}-{name}", process::id()));
        let _ = fs::remove_file(&path);
        Scratch(path)
    }

    impl Deref for Scratch {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    /// A book on a disk that is always full.
    #[cfg(target_os = "linux")]
    pub fn full() -> LikesFile {
        let path = PathBuf::from("/dev/full");
        let file = File::options().write(true).open(&path).expect("opens");
        LikesFile { file, path, is_told: AtomicBool::new(false) }
    }

    #[test]
    fn a_line_is_what_the_file_shows() {
        assert_eq!(&print(4), b"0000000004 5a8063a1\n");
        for post in [0, 1, 4, u32::MAX] {
            assert_eq!(parse(&print(post)), Some(post));
        }
        for at in 0..LINE_BYTES {
            let mut bent = print(4);
            bent[at] ^= 1;
            assert_eq!(parse(&bent), None, "byte {at}");
        }
    }

    #[test]
    fn wherever_the_last_line_tears_the_others_stand() {
        let whole = [&HEADER[..], &print(1), &print(2), &print(1)].concat();
        let path = scratch("torn");
        for cut in 0..=whole.len() {
            let lines = cut.saturating_sub(LINE_BYTES) / LINE_BYTES;
            for tail in [&b""[..], b"\0\0\0\0", b"00000\n\n"] {
                if cut < LINE_BYTES && (tail.contains(&b'\n') || cut + tail.len() > LINE_BYTES) {
                    continue; // no way to tear the first line: this file is not ours
                }
                fs::write(&*path, [&whole[..cut], tail].concat()).expect("written");
                let (file, found) = LikesFile::open(&path).expect("opens");
                assert_eq!(found.counts.values().sum::<u64>(), lines as u64, "cut at {cut}");
                assert_eq!(found.length, (LINE_BYTES * (lines + 1)) as u64);
                file.append(found.length, &print(9)).expect("appends");
                let bytes = fs::read(&*path).expect("reads");
                assert_eq!(bytes, [&whole[..LINE_BYTES * (lines + 1)], &print(9)].concat());
            }
        }
    }

    #[test]
    fn damage_in_the_middle_costs_only_its_own_line() {
        let bytes = [
            &HEADER[..],
            &print(1),
            b"0000000001 what?\n",
            &[0; LINE_BYTES],
            b"\n",
            &print(2),
            b"x",
        ]
        .concat();
        let found = LoadedLikes {
            counts: BTreeMap::from([(1, 1), (2, 1)]),
            length: bytes.len() as u64 - 1,
        };
        assert_eq!(read(&bytes), (found, 2));
    }

    #[test]
    fn a_file_of_another_trade_is_left_alone() {
        let path = scratch("foreign");
        for foreign in ["# my diary", "openkitchen likes 2\n", "openkitchen likes 1\r\n"] {
            fs::write(&*path, foreign).expect("written");
            assert_eq!(
                LikesFile::open(&path).err().map(|error| error.kind()),
                Some(ErrorKind::InvalidData)
            );
            assert_eq!(fs::read_to_string(&*path).expect("is there"), foreign);
        }
    }

    #[test]
    fn what_a_failed_write_left_behind_is_written_over() {
        let path = scratch("left-behind");
        let (file, found) = LikesFile::open(&path).expect("opens");
        // As after a trip whose sync failed, and whose cut failed, too.
        fs::write(&*path, [&HEADER[..], &print(5), &print(5)].concat()).expect("written");
        file.append(found.length, &print(1)).expect("appends");
        assert_eq!(fs::read(&*path).expect("reads"), [&HEADER[..], &print(1)].concat());
    }
}
