//! Reads the files that `send`, `check`, `mock` and `explain` are given: transcripts, or text.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use openkitchen::Transcript;
use openkitchen::play::script;
use openkitchen::transcript::{BYTE_ORDER_MARK, MARKERS, Side};

use super::CliError;

/// Reads a transcript from a file, to play this side of it. `otherwise` says what to do with a file that
/// is no transcript.
///
/// # Errors
/// The file, the line, and what was expected there.
pub fn read(file: &Path, played: Side, otherwise: &str) -> Result<Transcript, CliError> {
    let transcript = bytes(file, u64::MAX).and_then(|bytes| {
        let hint = match bytes.is_empty() || begins_transcript(&bytes) {
            true => String::new(),
            false => format!("\n{otherwise}"),
        };
        let parsed = utf8(file, bytes).and_then(|text| {
            script::parse(&text, played).map_err(|error| format!("{}: {error}", file.display()))
        });
        parsed.map_err(|error| error + &hint)
    });
    transcript.map_err(CliError::Unusable)
}

/// Whether these bytes are given as a transcript: their first line that is not empty begins with a
/// marker.
pub fn begins_transcript(bytes: &[u8]) -> bool {
    let mark = BYTE_ORDER_MARK.to_string();
    let bytes = bytes.strip_prefix(mark.as_bytes()).unwrap_or(bytes);
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(bytes.len());
    MARKERS.iter().any(|marker| bytes[start..].starts_with(marker.as_bytes()))
}

/// Whether the bytes of stdin are given as a transcript. They stay unread.
pub fn stdin_begins_transcript() -> bool {
    io::stdin().lock().fill_buf().is_ok_and(begins_transcript)
}

/// Reads the bytes of a file, or of stdin if it is `-`, up to this limit.
///
/// # Errors
/// Why it cannot be read.
pub fn bytes(file: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            let request =
                "Paste a message or a transcript, then press Ctrl-D at the start of a line.";
            let _ = writeln!(io::stderr(), "{request}");
        }
        io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    result.map_err(|error| format!("cannot read {}: {}", file.display(), FileError(&error)))?;
    Ok(bytes)
}

/// Reads a file as UTF-8, or stdin if it is `-`.
///
/// # Errors
/// Why it cannot be read, or the first line that is not UTF-8.
pub fn text(file: &Path) -> Result<String, String> {
    utf8(file, bytes(file, u64::MAX)?)
}

/// The bytes of a file as UTF-8.
fn utf8(file: &Path, bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let text = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = text.split(|&byte| byte == b'\n').count();
        let name = file.display();
        format!("{name}: line {line}: expected UTF-8, with other bytes as \\xHH")
    })
}

/// Displays why a file cannot be read, without the system's error number where that is known.
struct FileError<'a>(&'a io::Error);

impl std::fmt::Display for FileError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind() {
            io::ErrorKind::NotFound => f.write_str("there is no such file"),
            io::ErrorKind::PermissionDenied => f.write_str("this user may not read it"),
            io::ErrorKind::IsADirectory => f.write_str("it is a directory"),
            _ => write!(f, "{}", self.0),
        }
    }
}
