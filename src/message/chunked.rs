//! # Decodes and encodes chunked content
//!
//! A sender that makes the content while it sends cannot give a length first. It sends chunks: each
//! has its own size before it, and a chunk of size zero ends the content.
//!
//! ```text
//! 5␍␊ hello␍␊   6;why=because␍␊  world␍␊   0␍␊   Trailer: field␍␊   ␍␊
//! ```
//! [`Decoder`] is a state machine. Elsewhere in the server the call stack holds the state. Here the
//! bytes arrive in any number of reads, so the decoder must remember where in a chunk it is.
//!
//! Rule: RFC 9112 section 7.1, strictly: a size is hex digits, a line ends in CR LF, and the data ends
//! where its size says. Extensions and trailers are checked, counted and dropped.
//!
//! Framing counts against the limit on content too, with some room: chunks of one byte are up to 20
//! times as long as their content.
//! Next: [`route`](crate::route).

use super::fields;
use super::limits::{Limits, MAX_CHUNK_EXTENSION_BYTES, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES};
use super::refusal::Refusal;

/// Digits of a size of 64 bits. More digits are leading zeros. They are allowed and count as bytes of
/// extensions: four thousand zeros before a chunk of one byte are as much work without content.
const SIZE_DIGITS: usize = 16;

/// Bytes of the line ends after a chunk's size and after its data.
const CHUNK_LINE_ENDS: u64 = 4;

/// Bytes of one line of framing that a tool follows between other programs. curl reads a trailer line
/// of 100 KiB.
pub const MAX_FOLLOWED_LINE_BYTES: usize = 256 * 1024;

/// Decodes chunked content, one step at a time.
#[derive(Debug)]
pub struct Decoder {
    state: DecoderState,
    /// Bytes of content that the limit still allows.
    allowed: u64,
    /// Bytes of content and framing together that the limit still allows.
    allowed_with_framing: u64,
    bounds: &'static FramingBounds,
    /// Bytes of extensions and of leading zeros received so far.
    extension_bytes: usize,
    /// Bytes of trailer lines received so far.
    trailer_bytes: usize,
}

/// Bytes of framing that a decoder accepts, at most.
#[derive(Debug)]
struct FramingBounds {
    line: usize,
    extensions: usize,
    trailers: usize,
}

/// What this server accepts.
static SERVED: FramingBounds = FramingBounds {
    line: MAX_CHUNK_LINE_BYTES,
    extensions: MAX_CHUNK_EXTENSION_BYTES,
    trailers: MAX_TRAILER_BYTES,
};

/// What is followed between others. Their framing is dropped line by line, so only a line has a bound.
static FOLLOWED: FramingBounds =
    FramingBounds { line: MAX_FOLLOWED_LINE_BYTES, extensions: usize::MAX, trailers: usize::MAX };

/// What the decoder expects next.
#[derive(Clone, Copy, Debug)]
enum DecoderState {
    SizeLine,
    /// Data of a chunk, of which `left` bytes are missing.
    Data {
        left: u64,
    },
    /// The CR LF after a chunk's data.
    DataEnd,
    /// A trailer line, or the empty line that ends the content.
    Trailers,
}

/// What the decoder found at the start of the bytes. Numbers are bytes, and the caller consumes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Too few bytes to decide: call again with more.
    Partial,
    /// Framing, to be dropped.
    Framing(usize),
    /// Content.
    Content(usize),
    /// Framing that ends the content.
    End(usize),
}

impl Decoder {
    /// A decoder at the start of chunked content, which refuses more than `limit` bytes of it.
    pub fn new(limit: u64) -> Decoder {
        Decoder::within(limit, &SERVED)
    }

    /// A decoder of what another server accepts: content of any length, and more framing than this
    /// server accepts.
    pub fn of_others() -> Decoder {
        Decoder::within(u64::MAX, &FOLLOWED)
    }

    fn within(limit: u64, bounds: &'static FramingBounds) -> Decoder {
        Decoder {
            state: DecoderState::SizeLine,
            allowed: limit,
            allowed_with_framing: Limits::with_chunk_framing(limit),
            bounds,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Whether the next byte begins a chunk.
    pub fn is_between_chunks(&self) -> bool {
        matches!(self.state, DecoderState::SizeLine)
    }

    /// Bytes of the current chunk's data that are still to arrive; zero if framing is next.
    pub fn data_left(&self) -> u64 {
        match self.state {
            DecoderState::Data { left } => left,
            _ => 0,
        }
    }

    /// Skips up to `bytes` bytes of the current chunk's data. Returns how many it skipped.
    pub fn skip(&mut self, bytes: u64) -> u64 {
        let DecoderState::Data { left } = &mut self.state else { return 0 };
        let skipped = bytes.min(*left);
        *left -= skipped;
        if *left == 0 {
            self.state = DecoderState::DataEnd;
        }
        skipped
    }

    /// Decodes the start of `bytes`: all bytes that were received and not consumed.
    ///
    /// # Errors
    /// The rule that is broken, and the offset in `bytes`. As in a head, a refusal waits for the end
    /// of its line, so that it does not depend on how the bytes were split into reads.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Decoded, (Refusal, usize)> {
        let bounds = self.bounds;
        match self.state {
            DecoderState::SizeLine => {
                let Some(line) = line(bytes, bounds.line, Refusal::ChunkExtensionsTooLong)? else {
                    return Ok(Decoded::Partial);
                };
                let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                if digits == 0 {
                    return Err((Refusal::ChunkSize, 0));
                }
                check_extensions(line, digits)?;
                let extension_bytes = line.len() - digits.min(SIZE_DIGITS);
                self.extension_bytes = self.extension_bytes.saturating_add(extension_bytes);
                if self.extension_bytes > bounds.extensions {
                    return Err((Refusal::ChunkExtensionsTooLong, digits));
                }
                // A size beyond 64 bits is valid, and larger than any limit.
                let size = std::str::from_utf8(&line[..digits])
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .filter(|&size| size <= self.allowed)
                    .ok_or((Refusal::ContentTooLarge, 0))?;
                let framed = size.saturating_add(line.len() as u64 + CHUNK_LINE_ENDS);
                self.allowed_with_framing = self
                    .allowed_with_framing
                    .checked_sub(framed)
                    .ok_or((Refusal::ChunkFramingTooLong, 0))?;
                self.allowed -= size;
                self.state = if size == 0 {
                    DecoderState::Trailers
                } else {
                    DecoderState::Data { left: size }
                };
                Ok(Decoded::Framing(line.len() + 2))
            }
            DecoderState::Data { .. } => Ok(match self.skip(bytes.len() as u64) {
                0 => Decoded::Partial,
                length => Decoded::Content(length as usize),
            }),
            DecoderState::DataEnd => {
                if bytes.starts_with(b"\r\n") {
                    self.state = DecoderState::SizeLine;
                    return Ok(Decoded::Framing(2));
                }
                let line_is_complete = bytes.contains(&b'\n') || bytes.len() >= bounds.line;
                if line_is_complete { Err((Refusal::ChunkEnd, 0)) } else { Ok(Decoded::Partial) }
            }
            DecoderState::Trailers => {
                let Some(line) = line(bytes, bounds.line, Refusal::TrailersTooLong)? else {
                    return Ok(Decoded::Partial);
                };
                if line.is_empty() {
                    return Ok(Decoded::End(2));
                }
                fields::check_line(line)?;
                self.trailer_bytes = self.trailer_bytes.saturating_add(line.len() + 2);
                if self.trailer_bytes > bounds.trailers {
                    return Err((Refusal::TrailersTooLong, 0));
                }
                Ok(Decoded::Framing(line.len() + 2))
            }
        }
    }
}

/// Returns the first line without its CR LF, or `None` while its end has not arrived.
///
/// # Errors
/// A line of more than `bound` bytes (`too_long`), and a bare CR or LF.
fn line(bytes: &[u8], bound: usize, too_long: Refusal) -> Result<Option<&[u8]>, (Refusal, usize)> {
    let window = &bytes[..bytes.len().min(bound)];
    let Some(lf) = window.iter().position(|&byte| byte == b'\n') else {
        return if window.len() == bound { Err((too_long, 0)) } else { Ok(None) };
    };
    // DANGER: if two recipients disagree about a line end, they disagree about where the content ends.
    let line = window[..lf].strip_suffix(b"\r").ok_or((Refusal::BareLf, lf))?;
    match line.iter().position(|&byte| byte == b'\r') {
        Some(cr) => Err((Refusal::BareCr, cr)),
        None => Ok(Some(line)),
    }
}

/// Checks what follows the size. RFC 9112 section 7.1.1:
/// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn check_extensions(line: &[u8], start: usize) -> Result<(), (Refusal, usize)> {
    let token_length =
        |rest: &[u8]| rest.iter().take_while(|&&byte| fields::is_token_byte(byte)).count();
    let skip_blanks =
        |at: usize| at + line[at..].iter().take_while(|byte| b" \t".contains(byte)).count();
    let mut at = start;
    while at < line.len() {
        let semicolon = skip_blanks(at);
        if line.get(semicolon) != Some(&b';') {
            let is_size = at == start && semicolon == start;
            return Err((
                if is_size { Refusal::ChunkSize } else { Refusal::ChunkExtension },
                semicolon.min(line.len() - 1),
            ));
        }
        let name = skip_blanks(semicolon + 1);
        at = name + token_length(&line[name..]);
        if at == name {
            return Err((Refusal::ChunkExtension, name.min(line.len() - 1)));
        }
        let equals = skip_blanks(at);
        if line.get(equals) == Some(&b'=') {
            let value = skip_blanks(equals + 1);
            at = value + token_length(&line[value..]).max(quoted_length(&line[value..]));
            if at == value {
                return Err((Refusal::ChunkExtension, value.min(line.len() - 1)));
            }
        }
    }
    Ok(())
}

/// Returns the length of the quoted string at the start, or zero (RFC 9110 section 5.6.4).
fn quoted_length(text: &[u8]) -> usize {
    if !text.starts_with(b"\"") {
        return 0;
    }
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' if text.get(at + 1).is_some_and(|&next| fields::is_value_byte(next)) => at += 2,
            b'\\' => return 0,
            _ if fields::is_value_byte(byte) => at += 1,
            _ => return 0,
        }
    }
    0
}

/// Appends one chunk to `out`. `data` must not be empty: an empty chunk would end the content.
pub fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The last chunk, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `wire`, received in reads of `read_size` bytes: the content, and the bytes consumed.
    fn decode(wire: &[u8], read_size: usize) -> Result<(Vec<u8>, usize), (Refusal, usize)> {
        let (mut decoder, mut content, mut used) = (Decoder::new(1000), Vec::new(), 0);
        let all = wire.len();
        for received in (0..=all).filter(|end| end % read_size == 0 || *end == all) {
            loop {
                let rest = &wire[used..received];
                match decoder.step(rest).map_err(|(refusal, at)| (refusal, used + at))? {
                    Decoded::Partial => break,
                    Decoded::Framing(length) => used += length,
                    Decoded::Content(length) => {
                        content.extend_from_slice(&rest[..length]);
                        used += length;
                    }
                    Decoded::End(length) => return Ok((content, used + length)),
                }
            }
        }
        panic!("the content has no end");
    }

    #[test]
    fn chunks_are_decoded_however_they_are_split_into_reads() {
        let wire = b"5\r\nhello\r\n6 ; a = \"b;\\\" c\";d\r\n world\r\n000\r\nX-Sum: 1\r\n\r\nGET";
        for read_size in 1..=wire.len() {
            assert_eq!(decode(wire, read_size), Ok((b"hello world".to_vec(), wire.len() - 3)));
        }
    }

    #[test]
    fn encoded_chunks_are_decoded_to_the_same_content() {
        let mut wire = Vec::new();
        encode_chunk(b"hello", &mut wire);
        encode_chunk(&[b'x'; 300], &mut wire);
        wire.extend_from_slice(LAST_CHUNK);
        let content = [b"hello".to_vec(), vec![b'x'; 300]].concat();
        assert_eq!(decode(&wire, 7), Ok((content, wire.len())));
    }

    #[test]
    fn chunks_that_two_decoders_could_read_differently_are_refused_at_the_bad_byte() {
        use Refusal::*;
        for (wire, refusal, at) in [
            (&b"\r\n"[..], ChunkSize, 0),
            (b"5\nhello\r\n", BareLf, 1),
            (b"5;a\rb\r\n", BareCr, 3),
            (b"0x5\r\n", ChunkSize, 1),
            (b"-0\r\n", ChunkSize, 0),
            (b" 5\r\n", ChunkSize, 0),
            (b"5 \r\n", ChunkExtension, 1),
            (b"5;\r\n", ChunkExtension, 1),
            (b"5;a=\r\n", ChunkExtension, 3),
            (b"5;a=\"b\r\n", ChunkExtension, 4),
            (b"3\r\nhello\r\n", ChunkEnd, 6),
            (b"0\r\nno colon\r\n", NoColon, 5),
            (b"0\r\nX: 1\n\n", BareLf, 7),
            (b"10000000000000005\r\n", ContentTooLarge, 0),
            (b"3e9\r\n", ContentTooLarge, 0),
        ] {
            for read_size in 1..=wire.len() {
                let name = String::from_utf8_lossy(wire);
                assert_eq!(decode(wire, read_size), Err((refusal, at)), "{name:?} by {read_size}");
            }
        }
    }

    #[test]
    fn extensions_framing_and_trailers_are_bounded() {
        let long = [b"5;a=".to_vec(), vec![b'b'; MAX_CHUNK_LINE_BYTES]].concat();
        assert_eq!(decode(&long, 1000), Err((Refusal::ChunkExtensionsTooLong, 0)));
        let many = [b"1;".to_vec(), vec![b'b'; 3000], b"\r\nx\r\n".to_vec()].concat().repeat(6);
        assert!(matches!(decode(&many, 1000), Err((Refusal::ChunkExtensionsTooLong, _))));
        let zeros = [vec![b'0'; 3000], b"1\r\nx\r\n".to_vec()].concat().repeat(6);
        assert!(matches!(decode(&zeros, 1000), Err((Refusal::ChunkExtensionsTooLong, _))));
        // Content and framing together: 1000 bytes and 16 KiB, which 827 chunks of 21 bytes reach.
        let tiny =
            |count| [b"0000000000000001\r\nx\r\n".repeat(count), b"0\r\n\r\n".to_vec()].concat();
        assert!(decode(&tiny(820), 1000).is_ok());
        assert!(matches!(decode(&tiny(830), 1000), Err((Refusal::ChunkFramingTooLong, _))));
        let trailers = [b"0\r\n".to_vec(), b"X: y\r\n".repeat(MAX_TRAILER_BYTES)].concat();
        assert!(matches!(decode(&trailers, 1000), Err((Refusal::TrailersTooLong, _))));
    }
}
