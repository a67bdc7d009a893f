//! Reads the files that `send`, `check`, `mock` and `explain` are given: transcripts, or text.

use std::fs;
use std::path::Path;

use openkitchen::Transcript;
use openkitchen::play::script;
use openkitchen::transcript::Side;

use super::CliError;

/// Reads a transcript from a file, to play this side of it.
///
/// # Errors
/// The file, the line, and what was expected there.
pub fn read(file: &Path, played: Side) -> Result<Transcript, CliError> {
    let transcript = text(file).and_then(|text| {
        script::parse(&text, played).map_err(|error| format!("{}: {error}", file.display()))
    });
    transcript.map_err(CliError::Unusable)
}

/// Reads a file as UTF-8.
///
/// # Errors
/// Why it cannot be read, or the first line that is not UTF-8.
pub fn text(file: &Path) -> Result<String, String> {
    let name = file.display();
    let bytes =
        fs::read(file).map_err(|error| format!("cannot read {name}: {}", FileError(&error)))?;
    String::from_utf8(bytes).map_err(|error| {
        let text = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = text.split(|&byte| byte == b'\n').count();
        format!("{name}: line {line}: expected UTF-8, with other bytes as \\xHH")
    })
}

/// Displays why a file cannot be read, without the system's error number where that is known.
pub struct FileError<'a>(pub &'a std::io::Error);

impl std::fmt::Display for FileError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind() {
            std::io::ErrorKind::NotFound => f.write_str("there is no such file"),
            std::io::ErrorKind::PermissionDenied => f.write_str("this user may not read it"),
            std::io::ErrorKind::IsADirectory => f.write_str("it is a folder"),
            _ => write!(f, "{}", self.0),
        }
    }
}
