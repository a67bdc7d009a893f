//! # Compares bytes in a test
//!
//! A test of bytes that fails prints two lists of numbers, and the reader counts. `assert_bytes!` shows
//! the line in which they differ, with what is not visible escaped, and a caret under the first byte:
//!
//! ```text
//! the bytes differ at byte 33, in line 2
//!          HTTP/1.1 200 OK\r\n
//!   left:  Content-Length: 5\r\n
//!   right: Content-Length: 6\r\n
//!                          ^
//! both have 36 bytes
//! ```
//! A long line is cut to what is around that byte, with `...` where it is cut.

use std::fmt::{self, Write};

use super::difference::{Difference, shown};
use super::expected::common_length;
use crate::message::counted::counted;

/// Equal lines that are shown before the one that differs, and the bytes of each.
const SHOWN_LINES: usize = 3;
const SHOWN_BYTES: usize = 70;

/// Asserts that two values have the same bytes: `&[u8]`, `Vec<u8>`, `&str`, `String`. If not, it shows
/// the line in which they differ, what is not visible escaped, with a caret under the first byte that
/// differs. More arguments are a message, as for `assert_eq!`.
///
/// ```
/// use openkitchen::assert_bytes;
///
/// assert_bytes!(b"HTTP/1.1 200 OK\r\n".to_vec(), "HTTP/1.1 200 OK\r\n");
/// ```
///
/// ```should_panic
/// # use openkitchen::assert_bytes;
/// let request = b"GET / HTTP/1.1\r\nHost: h\n\r\n";
/// assert_bytes!(request, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
/// // the bytes differ at byte 23, in line 2
/// //          GET / HTTP/1.1\r\n
/// //   left:  Host: h\n
/// //   right: Host: h\r\n
/// //                 ^
/// // left has 25 bytes, right 27 bytes
/// ```
/// A `Cow`, as of [`ReceivedResponse::text`](crate::ReceivedResponse::text), is taken as `&*text`.
#[macro_export]
macro_rules! assert_bytes {
    ($left:expr, $right:expr $(,)?) => {
        $crate::play::assert::assert_same(
            ::core::convert::AsRef::<[u8]>::as_ref(&$left),
            ::core::convert::AsRef::<[u8]>::as_ref(&$right),
            ::core::option::Option::None,
        )
    };
    ($left:expr, $right:expr, $($message:tt)+) => {
        $crate::play::assert::assert_same(
            ::core::convert::AsRef::<[u8]>::as_ref(&$left),
            ::core::convert::AsRef::<[u8]>::as_ref(&$right),
            ::core::option::Option::Some(::core::format_args!($($message)+)),
        )
    };
}

/// What `assert_bytes!` calls.
///
/// # Panics
/// The bytes differ.
#[track_caller]
pub fn assert_same(left: &[u8], right: &[u8], message: Option<fmt::Arguments<'_>>) {
    if let Some(shown) = shown_difference(left, right) {
        match message {
            Some(message) => panic!("{message}: {shown}"),
            None => panic!("{shown}"),
        }
    }
}

/// Where two values differ, in lines of text. `None` if they do not.
fn shown_difference(left: &[u8], right: &[u8]) -> Option<String> {
    if left == right {
        return None;
    }
    let at = common_length(left, right);
    let before = &left[..at];
    let number = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let mut text = match (left.len(), right.len()) {
        (length, _) if length == at => "the left bytes end".to_owned(),
        (_, length) if length == at => "the right bytes end".to_owned(),
        _ => "the bytes differ".to_owned(),
    };
    let _ = writeln!(text, " at byte {at}, in line {number}");
    // The first piece is the line that differs, and the last one is all that is above those shown.
    let pieces = before.rsplitn(SHOWN_LINES + 2, |&byte| byte == b'\n');
    let lines: Vec<&[u8]> = pieces.skip(1).take(SHOWN_LINES).collect();
    for line in lines.iter().rev() {
        let line = [&line[..line.len().min(SHOWN_BYTES)], b"\n"].concat();
        let _ = writeln!(text, "         {}", shown(&line, SHOWN_BYTES));
    }
    let difference = Difference::bytes("", &right[at..], (left, at), "the bytes");
    let column = difference.caret.map_or(0, |caret| caret.column);
    let _ = writeln!(text, "  left:  {}", difference.got);
    let _ = writeln!(text, "  right: {}", difference.expected);
    let _ = writeln!(text, "         {:column$}^", "");
    let [in_left, in_right] = [left, right].map(|bytes| counted(bytes.len(), "byte", "bytes"));
    let _ = match left.len() == right.len() {
        true => write!(text, "both have {in_left}"),
        false => write!(text, "left has {in_left}, right {in_right}"),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_differs_is_shown_with_a_caret() {
        for (left, right, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n",
                "the bytes differ at byte 33, in line 2\n         HTTP/1.1 200 OK\\r\\n\n  \
                 left:  Content-Length: 5\\r\\n\n  right: Content-Length: 6\\r\\n\n                         ^\nboth have 36 bytes",
            ),
            (
                "a\x1b[2J",
                "a\x1b[2",
                "the right bytes end at byte 4, in line 1\n  left:  a\\x1b[2J\n  right: a\\x1b[2(nothing)\n                \
                 ^\nleft has 5 bytes, right 4 bytes",
            ),
            (
                "",
                "\0",
                "the left bytes end at byte 0, in line 1\n  left:  (nothing)\n  right: \\x00\n         ^\n\
                 left has 0 bytes, right 1 byte",
            ),
            (
                "1\n2\n3\n4\n5\nx",
                "1\n2\n3\n4\n5\ny",
                "the bytes differ at byte 10, in line 6\n         3\\n\n         4\\n\n         5\\n\n  \
                 left:  x\n  right: y\n         ^\nboth have 11 bytes",
            ),
        ] {
            let shown = shown_difference(left.as_bytes(), right.as_bytes()).unwrap();
            assert_eq!(shown, expected, "\n{shown}");
        }
        assert_eq!(shown_difference(b"x", b"x"), None);
        let (long, other) = ("x".repeat(500) + "\ny", "x".repeat(500) + "\nz");
        let shown = shown_difference(long.as_bytes(), other.as_bytes()).unwrap();
        assert!(shown.lines().all(|line| line.len() <= 100), "{shown}");
        assert!(shown.contains("xxx...\n  left:  y\n"), "{shown}");
        let (long, other) = ("x".repeat(500) + "y" + &"z".repeat(500), "x".repeat(1001));
        let shown = shown_difference(long.as_bytes(), other.as_bytes()).unwrap();
        assert!(shown.contains("\n  left:  ...xxx") && shown.contains("xyzzz"), "{shown}");
        assert!(shown.contains("zzz...\n  right: ...xxx"), "{shown}");
    }

    #[test]
    fn the_macro_takes_texts_and_bytes_and_a_message() {
        assert_bytes!("x", b"x");
        assert_bytes!(vec![b'x'], String::from("x"), "no message");
        let panic = std::panic::catch_unwind(|| assert_bytes!([0], &[1][..], "page {}", 7));
        let message = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with("page 7: the bytes differ at byte 0"), "{message}");
    }
}
