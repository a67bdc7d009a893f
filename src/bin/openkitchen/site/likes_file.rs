//! # The likes file: one record for each like
//!
//! An append-only file. So a power cut can damage only the last records, and those were not synced
//! yet: no response has said "stored" for them.
//!
//! ```text
//! openkitchen likes 1␊    header: the kind of file and the version of its format
//! 0000000004 5a8063a1␊    record: the post and a checksum of its digits; a line of 20 bytes
//! ```
//! [`LikesFile::open`] finds incomplete records by their checksum and cuts them off.
//! [`LikesFile::append`] cuts the file back after an error, such as a full disk. Only one process may
//! open the file, because two would overwrite each other's records.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first line. A file without it is not a likes file, and is left unchanged.
const HEADER: &[u8; RECORD_BYTES] = b"openkitchen likes 1\n";

/// Bytes of a record, and of the header.
const RECORD_BYTES: usize = 20;

/// The open likes file. It is locked until it is closed. The kernel closes it even if the process is
/// killed.
pub struct LikesFile {
    file: File,
    path: PathBuf,
    /// The last append failed, so its error is already in the log.
    has_logged_error: AtomicBool,
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
    /// Any other error, in the words of the operating system.
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
    /// Opens and locks the likes file at `path`, and cuts off incomplete records. Creates the file and
    /// its directory if they are missing.
    ///
    /// # Errors
    /// `WouldBlock` if another process has locked the file, `InvalidData` if it is not a likes file.
    pub fn open(path: &Path) -> io::Result<(LikesFile, LoadedLikes)> {
        let directory = directory_of(path);
        create_directory(directory)?;
        if path.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "a directory; name a file in it"));
        }
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path)?;
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
        let has_logged_error = AtomicBool::new(false);
        Ok((LikesFile { file, path: path.to_owned(), has_logged_error }, loaded))
    }

    /// The path of the file, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `records` after the first `length` bytes, and syncs them. After an error, cuts the file
    /// back to `length`. Errors in a row are logged once, because the log may be on the same full
    /// disk.
    pub fn append(&self, length: u64, records: &[u8]) -> Result<(), LikeError> {
        let appended = self.try_append(length, records);
        let was_logged = self.has_logged_error.swap(appended.is_err(), Ordering::Relaxed);
        appended.map_err(|error| {
            let path = self.path.display();
            if !was_logged {
                log::error!("{path}: likes cannot be stored for now: {error}");
            }
            // The clients get a 5xx, so the next start must not count these records. If this cut
            // fails as well, the next append begins with it.
            let cut = self.file.set_len(length);
            if let (Err(error), false) = (cut, was_logged) {
                log::error!("{path}: cannot cut the file back to {length} bytes: {error}");
            }
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    LikeError::Full
                }
                _ => LikeError::Failed(error.to_string()),
            }
        })
    }

    fn try_append(&self, length: u64, records: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
        }
        file.seek(SeekFrom::Start(length))?;
        file.write_all(records)?;
        // fdatasync: syncs the bytes and the new length, but not the times of the file.
        file.sync_data()
    }
}

/// Reads the whole file and cuts off the incomplete records at its end.
fn load(file: &mut File, path: &Path) -> io::Result<LoadedLikes> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (loaded, damaged) = parse_file(&bytes);
    if damaged > 0 {
        // The usual cause is a failing disk or an editor. The other records still count.
        log::warn!("{}: {damaged} damaged records are skipped", path.display());
    }
    let incomplete = bytes.len() as u64 - loaded.length;
    if incomplete > 0 {
        log::warn!(
            "{}: the last {incomplete} bytes are an incomplete record, and are cut off",
            path.display()
        );
        file.set_len(loaded.length)?;
    }
    // A server that was killed may have written records without a sync. They count from now on, so
    // they are synced now.
    file.sync_all()?;
    Ok(loaded)
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
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Creates a directory and its parents, and syncs each of their names.
fn create_directory(directory: &Path) -> io::Result<()> {
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

    /// A path for one test. The file is removed when this is dropped.
    pub struct Scratch(PathBuf);

    /// A path in the temporary directory, without a file.
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

    /// A likes file on a disk that is always full.
    #[cfg(target_os = "linux")]
    pub fn full() -> LikesFile {
        let path = PathBuf::from("/dev/full");
        let file = File::options().write(true).open(&path).expect("opens");
        LikesFile { file, path, has_logged_error: AtomicBool::new(false) }
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
        fs::write(&*path, [&HEADER[..], &format_record(5), &format_record(5)].concat())
            .expect("written");
        file.append(loaded.length, &format_record(1)).expect("appends");
        assert_eq!(fs::read(&*path).expect("reads"), [&HEADER[..], &format_record(1)].concat());
    }
}
