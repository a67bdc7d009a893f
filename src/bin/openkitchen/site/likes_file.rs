//! # The likes file: one record for each like
//!
//! An append-only file. So a power cut can damage only the last records, and those were not synced
//! yet: no response has said "stored" for them.
//!
//! ```text
//! openkitchen likes 1␊    header: the kind of file and the version of its format
//! 0000000004 5a8063a1␊    record: the post and a checksum of its digits; a line of 20 bytes
//! ```
//! [`LikesFile::open`] finds incomplete records by their checksum and cuts them off. Damage at the
//! end that is longer than one record is kept in a file beside. [`LikesFile::append`] cuts the file
//! back after an error, such as a full disk. Only one process may open the file, because two would
//! overwrite each other's records.
//!
//! A lock stops only programs that ask for it. Others may delete, rename, replace or cut the file
//! while the server runs. So an append checks, before it returns, that the next start will find the
//! records. If not, the like is refused, and the log says what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use openkitchen::message::counted::counted;
use openkitchen::sys;

/// The first line. A file without it is not a likes file, and is left unchanged.
const HEADER: &[u8; RECORD_BYTES] = b"openkitchen likes 1\n";

/// Bytes of a record, and of the header.
const RECORD_BYTES: usize = 20;

/// The open likes file. It is locked until it is closed. The kernel closes it even if the process is
/// killed.
pub struct LikesFile {
    file: File,
    path: PathBuf,
    /// Why the last append failed, as it is in the log. Empty after a success.
    logged_error: Mutex<String>,
    /// The records of a failed append could not be cut off, so they are after the synced ones.
    has_remains: AtomicBool,
}

/// The contents of a likes file when it was opened.
#[derive(Debug, PartialEq)]
pub struct LoadedLikes {
    /// Likes by post.
    pub counts: BTreeMap<u32, u64>,
    /// Bytes from the start of the file to the end of the last whole record.
    pub length: u64,
}

/// Why a like was not stored. The count is unchanged.
#[derive(Clone, Debug, PartialEq)]
pub enum LikeError {
    /// No space: the disk is full, or a quota or the largest file size is reached.
    Full,
    /// Another program has changed, moved or deleted the file.
    Changed,
    /// Any other error, in the words of the operating system.
    Failed(String),
}

impl fmt::Display for LikeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LikeError::Full => {
                f.write_str("The like was not stored: there is no room left on the disk.")
            }
            LikeError::Changed => f.write_str(
                "The like was not stored: another program has changed, moved or deleted the file of \
                 the likes. The server's log says what to do.",
            ),
            LikeError::Failed(why) => {
                write!(f, "The like was not stored: the disk answered \"{why}\".")
            }
        }
    }
}

/// Why an append failed.
enum AppendError {
    /// Another program has changed the file: what happened, and what to do.
    Changed(&'static str),
    Io(io::Error),
}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> AppendError {
        AppendError::Io(error)
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Changed(change) => f.write_str(change),
            AppendError::Io(error) => error.fmt(f),
        }
    }
}

impl LikesFile {
    /// Opens and locks the likes file at `path`, and cuts off incomplete records. Creates the file
    /// if it is missing, but no directory.
    ///
    /// # Errors
    /// `WouldBlock` if another process has locked the file, `InvalidData` if it is not a likes
    /// file, or if its damaged end cannot be kept beside.
    pub fn open(path: &Path) -> io::Result<(LikesFile, LoadedLikes)> {
        let directory = directory_of(path);
        if path.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "a directory; name a file in it"));
        }
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound if !directory.exists() => io::Error::new(
                ErrorKind::NotFound,
                "its directory does not exist; create it, or name another file with --data",
            ),
            _ => error,
        })?;
        if !file.metadata()?.is_file() {
            // A pipe or a device cannot be cut back.
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                ErrorKind::WouldBlock,
                "another openkitchen uses this file; stop that one, or name another file with \
                 --data",
            ),
            TryLockError::Error(error) => error,
        })?;

        let mut start = Vec::new();
        (&file).take(RECORD_BYTES as u64 + 1).read_to_end(&mut start)?;
        let loaded = if start.starts_with(HEADER) {
            load(&mut file, path)?
        } else if start.len() <= RECORD_BYTES && HEADER.starts_with(without_zeros(&start)) {
            initialize(&mut file, directory)?
        } else {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "not a likes file, so it is left unchanged",
            ));
        };
        Ok((LikesFile::new(file, path), loaded))
    }

    fn new(file: File, path: &Path) -> LikesFile {
        let (logged_error, has_remains) = (Mutex::default(), AtomicBool::new(false));
        LikesFile { file, path: path.to_owned(), logged_error, has_remains }
    }

    /// The path of the file, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `records` after the first `length` bytes, syncs them, and checks that the next start
    /// will find them. After an error, cuts the file back to `length`. The same error in a row is
    /// logged once, because the log may be on the same full disk. One thread at a time may call
    /// this.
    pub fn append(&self, length: u64, records: &[u8]) -> Result<(), LikeError> {
        let appended = self.try_append(length, records);
        let now = appended.as_ref().map_or_else(AppendError::to_string, |()| String::new());
        let mut logged = self.logged_error.lock().unwrap_or_else(PoisonError::into_inner);
        if *logged != now && !now.is_empty() {
            log::error!("{}: likes cannot be stored for now: {now}", self.path.display());
        }
        *logged = now;
        appended.map_err(|error| match error {
            AppendError::Changed(_) => LikeError::Changed,
            AppendError::Io(error) => match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    LikeError::Full
                }
                _ => LikeError::Failed(error.to_string()),
            },
        })
    }

    fn try_append(&self, length: u64, records: &[u8]) -> Result<(), AppendError> {
        if self.has_remains.load(Ordering::Relaxed) {
            self.cut(length);
        }
        self.check(length)?;
        let written = self.write(length, records).map_err(AppendError::Io).and_then(|()| {
            self.check(length + records.len() as u64)?;
            self.check_synced(length)
        });
        // The clients get a 5xx, so the next start must not count these records.
        written.inspect_err(|_| self.cut(length))
    }

    fn write(&self, length: u64, records: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(length))?;
        file.write_all(records)?;
        // fdatasync: syncs the bytes and the new length, but not the times of the file.
        file.sync_data()
    }

    /// Checks that the path still leads to this file, and that the file has this length.
    fn check(&self, length: u64) -> Result<(), AppendError> {
        let change = match sys::is_same_file(&self.file, &self.path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                "the file was deleted or moved; put it back, or restart the server to begin a new \
                 one"
            }
            Err(error) => return Err(error.into()),
            Ok(false) => {
                "another file has taken its place; put the first one back, or restart the server \
                 to use the other one"
            }
            Ok(true) => match self.file.metadata()?.len() {
                now if now < length => {
                    "the file was cut short; put its content back, or restart the server, which then \
                     counts the likes that are left"
                }
                now if now > length => {
                    "another program has written to the end of the file; restart the server, which \
                     then reads it again"
                }
                _ => return Ok(()),
            },
        };
        Err(AppendError::Changed(change))
    }

    /// Checks that the first `length` bytes, which were synced before, still begin with the header
    /// and end with a line end. If not, the next start would refuse the file, or not find a record
    /// after them.
    fn check_synced(&self, length: u64) -> Result<(), AppendError> {
        let (mut file, mut header, mut end) = (&self.file, [0; RECORD_BYTES], [0]);
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut header)?;
        file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
        file.read_exact(&mut end)?;
        Err(AppendError::Changed(match (header == *HEADER, end == *b"\n") {
            (true, true) => return Ok(()),
            (true, false) => {
                "another program has overwritten the file; put its content back, or restart the \
                 server"
            }
            (false, _) => {
                "another program has overwritten the start of the file; put its content back"
            }
        }))
    }

    /// Cuts the file back to its first `length` bytes. If this fails, the next append tries it
    /// again.
    fn cut(&self, length: u64) {
        let cut = self.try_cut(length);
        let was_logged = self.has_remains.swap(cut.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (cut, was_logged) {
            let path = self.path.display();
            log::error!("{path}: cannot cut the file back to {length} bytes: {error}");
        }
    }

    /// A shorter file stays as it is: zeros at its end would be no likes.
    fn try_cut(&self, length: u64) -> io::Result<()> {
        if self.file.metadata()?.len() <= length {
            return Ok(());
        }
        self.file.set_len(length)?;
        // If another program has cut the file during the append, the kernel has filled the gap with
        // zeros. The next start would refuse a file whose header is zeros.
        let (mut file, mut bytes) = (&self.file, Vec::new());
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        // All but the start of the header is zeros: no record is lost.
        let start = without_zeros(&bytes);
        match start.len() < HEADER.len() && HEADER.starts_with(start) {
            true => self.file.set_len(0),
            false => Ok(()),
        }
    }
}

/// Reads the whole file and cuts off the incomplete records at its end. What may be more than one
/// of them is kept in a file beside first.
fn load(file: &mut File, path: &Path) -> io::Result<LoadedLikes> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (loaded, damaged) = parse_file(&bytes);
    if damaged > 0 {
        // The usual cause is a failing disk or an editor. The other records still count.
        let lines = counted(damaged, "damaged line is", "damaged lines are");
        log::warn!("{}: {lines} skipped", path.display());
    }
    let end = &bytes[loaded.length as usize..];
    if !end.is_empty() {
        let (path_shown, length) = (path.display(), counted(end.len(), "byte", "bytes"));
        let written = without_zeros(end);
        if written.len() < RECORD_BYTES {
            let what = if written.is_empty() { "empty space" } else { "an incomplete record" };
            log::warn!("{path_shown}: {what} at the end ({length}) is cut off");
        } else {
            let beside = keep_beside(path, end)?;
            log::warn!(
                "{path_shown}: what is no record at the end ({length}) is moved to {}",
                beside.display()
            );
        }
        file.set_len(loaded.length)?;
    }
    // A server that was killed may have written records without a sync. They count from now on, so
    // they are synced now.
    file.sync_all()?;
    Ok(loaded)
}

/// Writes bytes to a new file beside `path`, and syncs them. Returns its path.
fn keep_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".damaged-{number}"));
        let beside = PathBuf::from(beside);
        let kept = match File::options().write(true).create_new(true).open(&beside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                continue;
            }
            created => created.and_then(|mut file| {
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                written.inspect_err(|_| drop(fs::remove_file(&beside)))
            }),
        };
        return match kept.and_then(|()| sync_directory(directory_of(path))) {
            Ok(()) => Ok(beside),
            Err(error) => {
                let (length, beside) = (bytes.len(), beside.display());
                let why = format!(
                    "its last {length} bytes are no records, and cannot be kept in {beside}: {error}"
                );
                // Not the kind of `error`: the likes must not be kept in memory instead.
                Err(io::Error::new(ErrorKind::InvalidData, why))
            }
        };
    }
}

/// Writes the header of a new file, or of one whose creation was interrupted. The directory is synced
/// as well, because it holds the name of the file.
fn initialize(file: &mut File, directory: &Path) -> io::Result<LoadedLikes> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(HEADER)?;
    file.sync_all()?;
    sync_directory(directory)?;
    Ok(LoadedLikes { counts: BTreeMap::new(), length: RECORD_BYTES as u64 })
}

/// Parses a file with a header. Returns its likes, and the number of damaged lines before the last
/// whole record.
fn parse_file(bytes: &[u8]) -> (LoadedLikes, usize) {
    let mut loaded = LoadedLikes { counts: BTreeMap::new(), length: RECORD_BYTES as u64 };
    let (mut at, mut damaged, mut damaged_before_record) = (RECORD_BYTES, 0, 0);
    for line in bytes[RECORD_BYTES..].split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        if let Some(post) = parse_record(line) {
            *loaded.counts.entry(post).or_default() += 1;
            loaded.length = at as u64;
            damaged_before_record = damaged;
        } else {
            damaged += 1;
        }
    }
    (loaded, damaged_before_record)
}

/// `bytes` without zeros at the end. After a power cut, the file may have its new length but not its
/// new bytes, which then read as zeros.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
}

/// The record of one like.
pub fn format_record(post: u32) -> [u8; RECORD_BYTES] {
    let digits = format!("{post:010}");
    let mut record = [b'\n'; RECORD_BYTES];
    record[..RECORD_BYTES - 1]
        .copy_from_slice(format!("{digits} {:08x}", checksum(digits.as_bytes())).as_bytes());
    record
}

/// The inverse of [`format_record`]: the post, or `None` if any byte of the record is wrong.
fn parse_record(line: &[u8]) -> Option<u32> {
    let post = str::from_utf8(line.get(..10)?).ok()?.parse().ok()?;
    (format_record(post) == line).then_some(post)
}

/// FNV-1a, 32 bits. It detects incomplete records. It does not protect against forged ones.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The directory that holds `path`.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Creates a directory and its parents, and syncs each of their names.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() || directory == Path::new(".") {
        return Ok(());
    }
    let parent = directory_of(directory);
    create_directory(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(parent),
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(()); // it syncs no directory; its file system keeps a journal of names
    }
    match File::open(directory)?.sync_all() {
        // Some filesystems cannot sync a directory and report InvalidInput.
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

    /// A path for one test, in a directory of its own. The directory is removed when this is
    /// dropped.
    pub struct Scratch(PathBuf);

    /// A path in the temporary directory, without a file.
    pub fn scratch(name: &str) -> Scratch {
        let directory = env::temp_dir().join(format!("openkitchen-likes-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).expect("created");
        Scratch(directory.join("likes"))
    }

    impl Deref for Scratch {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(directory_of(&self.0));
        }
    }

    /// A likes file on a disk that is always full.
    #[cfg(target_os = "linux")]
    pub fn full() -> LikesFile {
        let path = Path::new("/dev/full");
        LikesFile::new(File::options().write(true).open(path).expect("opens"), path)
    }

    #[test]
    fn a_record_is_parsed_back_and_any_changed_byte_is_detected() {
        assert_eq!(&format_record(4), b"0000000004 5a8063a1\n");
        for post in [0, 1, 4, u32::MAX] {
            assert_eq!(parse_record(&format_record(post)), Some(post));
        }
        for at in 0..RECORD_BYTES {
            let mut changed = format_record(4);
            changed[at] ^= 1;
            assert_eq!(parse_record(&changed), None, "byte {at}");
        }
    }

    #[test]
    fn a_record_cut_at_any_byte_is_removed_and_the_others_are_loaded() {
        let whole = [&HEADER[..], &format_record(1), &format_record(2), &format_record(1)].concat();
        let path = scratch("torn");
        for cut in 0..=whole.len() {
            let records = cut.saturating_sub(RECORD_BYTES) / RECORD_BYTES;
            for tail in [&b""[..], b"\0\0\0\0", b"00000\n\n"] {
                if cut < RECORD_BYTES && (tail.contains(&b'\n') || cut + tail.len() > RECORD_BYTES)
                {
                    continue; // no interrupted append leaves this header: not a likes file
                }
                fs::write(&*path, [&whole[..cut], tail].concat()).expect("written");
                let (file, loaded) = LikesFile::open(&path).expect("opens");
                assert_eq!(loaded.counts.values().sum::<u64>(), records as u64, "cut at {cut}");
                assert_eq!(loaded.length, (RECORD_BYTES * (records + 1)) as u64);
                file.append(loaded.length, &format_record(9)).expect("appends");
                let bytes = fs::read(&*path).expect("reads");
                assert_eq!(
                    bytes,
                    [&whole[..RECORD_BYTES * (records + 1)], &format_record(9)].concat()
                );
            }
        }
    }

    #[test]
    fn a_damaged_record_in_the_middle_is_skipped_and_the_others_are_loaded() {
        let bytes = [
            &HEADER[..],
            &format_record(1),
            b"0000000001 what?\n",
            &[0; RECORD_BYTES],
            b"\n",
            &format_record(2),
            b"x",
        ]
        .concat();
        let loaded = LoadedLikes {
            counts: BTreeMap::from([(1, 1), (2, 1)]),
            length: bytes.len() as u64 - 1,
        };
        assert_eq!(parse_file(&bytes), (loaded, 2));
    }

    #[test]
    fn a_file_that_is_not_a_likes_file_is_left_unchanged() {
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
    fn records_of_a_failed_append_are_overwritten() {
        let path = scratch("overwritten");
        let (file, loaded) = LikesFile::open(&path).expect("opens");
        // As after an append whose sync failed, and whose cut failed as well.
        file.has_remains.store(true, Ordering::Relaxed);
        fs::write(&*path, [&HEADER[..], &format_record(5), &format_record(5)].concat())
            .expect("written");
        file.append(loaded.length, &format_record(1)).expect("appends");
        assert_eq!(fs::read(&*path).expect("reads"), [&HEADER[..], &format_record(1)].concat());
    }

    /// What another program may do to the file at this path.
    type Act = fn(&Path);

    /// Cuts the file to this length.
    fn cut_to(path: &Path, length: u64) {
        File::options().write(true).open(path).expect("opens").set_len(length).expect("cut");
    }

    #[test]
    fn an_append_to_a_file_that_another_program_has_changed_fails_until_it_is_put_back() {
        let acts: [(&str, Act); 12] = [
            ("was deleted", |path| fs::remove_file(path).expect("removed")),
            ("was deleted", |path| fs::rename(path, path.with_extension("old")).expect("moved")),
            ("was deleted", |path| fs::remove_dir_all(directory_of(path)).expect("removed")),
            ("was deleted", |path| {
                fs::remove_dir_all(directory_of(path)).expect("removed");
                fs::write(directory_of(path), "a file").expect("written");
            }),
            ("taken its place", |path| {
                let other = path.with_extension("other");
                fs::write(&other, [&HEADER[..], &format_record(1), &format_record(2)].concat())
                    .expect("written");
                fs::rename(&other, path).expect("replaced");
            }),
            ("cut short", |path| cut_to(path, 0)),
            ("cut short", |path| cut_to(path, 7)),
            ("cut short", |path| cut_to(path, 30)),
            ("cut short", |path| cut_to(path, 40)),
            ("to the end", |path| {
                let mut file = File::options().append(true).open(path).expect("opens");
                file.write_all(b"# a note").expect("written");
            }),
            ("overwritten", |path| {
                let mut file = File::options().write(true).open(path).expect("opens");
                file.write_all(b"# a foreign header #").expect("written");
            }),
            ("overwritten", |path| {
                let mut file = File::options().write(true).open(path).expect("opens");
                file.write_all(&[0; RECORD_BYTES]).expect("written");
            }),
        ];
        for (number, (expected, act)) in acts.into_iter().enumerate() {
            let path = scratch(&format!("changed-{number}"));
            let (file, loaded) = LikesFile::open(&path).expect("opens");
            file.append(loaded.length, &format_record(1)).expect("appends");
            file.append(40, &format_record(2)).expect("appends");
            let whole = fs::read(&*path).expect("reads");
            act(&path);
            let changed = fs::read(&*path).ok();
            for _ in 0..2 {
                let appended = file.append(60, &format_record(3));
                assert_eq!(appended, Err(LikeError::Changed), "{number}");
                assert!(file.logged_error.lock().expect("locks").contains(expected), "{number}");
            }
            assert_eq!(fs::read(&*path).ok(), changed, "{number}: left unchanged");
            if expected == "cut short" || expected == "overwritten" {
                fs::write(&*path, &whole).expect("written");
                file.append(60, &format_record(3)).expect("appends again");
                assert_eq!(*file.logged_error.lock().expect("locks"), "");
                drop(file);
                let (_, loaded) = LikesFile::open(&path).expect("opens again");
                assert_eq!(loaded.counts, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
            }
            let _ = fs::remove_file(directory_of(&path));
        }
    }

    #[test]
    fn the_next_start_accepts_a_file_that_was_cut_during_an_append() {
        // The kernel fills the gap between the cut and the records with zeros.
        for cut in [0, 7, 20, 30, 40] {
            let path = scratch("cut-during-an-append");
            let (file, loaded) = LikesFile::open(&path).expect("opens");
            file.append(loaded.length, &[format_record(1), format_record(2)].concat())
                .expect("appends");
            cut_to(&path, cut);
            file.write(60, &format_record(3)).expect("writes");
            assert!(file.check_synced(60).is_err(), "cut to {cut}");
            file.cut(60);
            assert_eq!(file.append(60, &format_record(3)), Err(LikeError::Changed), "cut to {cut}");
            drop(file);
            let (_, loaded) = LikesFile::open(&path).expect("opens again");
            assert_eq!(loaded.counts.values().sum::<u64>(), u64::from(cut == 40), "cut to {cut}");
        }
    }

    #[test]
    fn damage_at_the_end_beyond_one_record_is_kept_beside() {
        let whole = [&HEADER[..], &format_record(1)].concat();
        let beside = |path: &Path, number| {
            fs::read(directory_of(path).join(format!("likes.damaged-{number}"))).ok()
        };
        for (end, is_kept) in [
            (&b"0000000001 5a8063a"[..], false),
            (&[0; 100_000], false),
            (b"x\ny\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false),
            (b"0000000001 5a8063aX\n", true),
            (&[b'x'; 100_000], true),
            (&[&[0; 100][..], b"x"].concat(), true),
        ] {
            let path = scratch("damaged");
            for number in 1..=2 {
                fs::write(&*path, [&whole, end].concat()).expect("written");
                let (file, loaded) = LikesFile::open(&path).expect("opens");
                assert_eq!((loaded.counts, loaded.length), (BTreeMap::from([(1, 1)]), 40));
                drop(file);
                assert_eq!(fs::read(&*path).expect("reads"), whole);
                let kept = beside(&path, number);
                assert_eq!(kept.as_deref(), is_kept.then_some(end), "{}", end.len());
            }
        }
    }

    #[test]
    fn damage_that_cannot_be_kept_beside_stays_in_the_file() {
        let scratch = scratch("not-kept");
        // The longest name of a file: with an ending it is too long.
        let path = scratch.with_file_name("x".repeat(255));
        let damaged = [&HEADER[..], &format_record(1), &[b'x'; 100]].concat();
        fs::write(&path, &damaged).expect("written");
        let error = LikesFile::open(&path).err().expect("cannot be kept");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("cannot be kept in"), "{error}");
        assert_eq!(fs::read(&path).expect("reads"), damaged);
    }

    #[test]
    fn no_directory_is_created_for_a_file() {
        let path = scratch("no-directory").join("below/likes");
        let error = LikesFile::open(&path).err().expect("no directory");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("its directory does not exist"), "{error}");
    }
}
