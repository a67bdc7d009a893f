//! # 7. Content without a length
//!
//! Who makes the content while sending it cannot say its length first. So it goes out in chunks,
//! each with its own length before it, and one of length zero says: that was all.
//!
//! ```text
//! 5␍␊ hello␍␊   6;why=because␍␊  world␍␊   0␍␊   Trailer: field␍␊   ␍␊
//! ```
//! [`Decoder`] is the one explicit state machine of this server. Everywhere else the call stack keeps
//! the place; here the bytes come in pieces and the decoder has to remember where in a chunk it is.
//!
//! Rule: RFC 9112 section 7.1, strictly: a size is hex digits, a line ends in CR LF, the data ends
//! where the size said. Extensions and trailers are checked, counted and dropped.
//! Next: [`route`](crate::route).

use super::fields;
use super::limits::{CHUNK_EXTENSIONS, CHUNK_LINE, TRAILERS};
use super::refusal::Refusal;

/// Digits that a size of 64 bits has. More are leading zeros, which are allowed, and counted with the
/// extensions: a chunk of one byte behind four thousand zeros is as much work for as little.
const DIGITS: usize = 16;

/// Takes chunked content apart.
#[derive(Debug)]
pub struct Decoder {
    place: DecoderState,
    room: u64,
    extensions: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug)]
enum DecoderState {
    SizeLine,
    Data { left: u64 },
    DataEnd,
    Trailers,
}

/// What stands at the start of the bytes that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Not enough to tell: ask again when more has come.
    Partial,
    /// So many bytes of framing, to pass over.
    Framing(usize),
    /// So many bytes of content.
    Content(usize),
    /// So many bytes of framing, and the content ends with them.
    End(usize),
}

impl Decoder {
    /// A decoder at the start of chunked content, which refuses more than `limit` bytes of it.
    pub fn new(limit: u64) -> Decoder {
        Decoder { place: DecoderState::SizeLine, room: limit, extensions: 0, trailers: 0 }
    }

    /// Bytes of a chunk's data that come next; zero where framing does.
    pub fn left(&self) -> u64 {
        match self.place {
            DecoderState::Data { left } => left,
            _ => 0,
        }
    }

    /// Passes over that many bytes of a chunk's data, or as many as there are: how many.
    pub fn skip(&mut self, bytes: u64) -> u64 {
        let DecoderState::Data { left } = &mut self.place else { return 0 };
        let here = bytes.min(*left);
        *left -= here;
        if *left == 0 {
            self.place = DecoderState::DataEnd;
        }
        here
    }

    /// The next step: `bytes` are all that have come and not been stepped over.
    ///
    /// # Errors
    /// The rule that is broken, and the offset in `bytes`. As in a head, a refusal waits for the end
    /// of its line, so that it does not depend on how the bytes were cut.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Decoded, (Refusal, usize)> {
        match self.place {
            DecoderState::SizeLine => {
                let Some(line) = line(bytes, Refusal::ChunkExtensionsTooLong)? else {
                    return Ok(Decoded::Partial);
                };
                let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                if digits == 0 {
                    return Err((Refusal::ChunkSize, 0));
                }
                check_extensions(line, digits)?;
                self.extensions += line.len() - digits.min(DIGITS);
                if self.extensions > CHUNK_EXTENSIONS {
                    return Err((Refusal::ChunkExtensionsTooLong, digits));
                }
                // Digits that overflow 64 bits are a number too, and larger than any limit.
                let size = std::str::from_utf8(&line[..digits])
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .filter(|&size| size <= self.room)
                    .ok_or((Refusal::ContentTooLarge, 0))?;
                self.room -= size;
                self.place = if size == 0 {
                    DecoderState::Trailers
                } else {
                    DecoderState::Data { left: size }
                };
                Ok(Decoded::Framing(line.len() + 2))
            }
            DecoderState::Data { .. } => Ok(match self.skip(bytes.len() as u64) {
                0 => Decoded::Partial,
                here => Decoded::Content(here as usize),
            }),
            DecoderState::DataEnd => {
                if bytes.starts_with(b"\r\n") {
                    self.place = DecoderState::SizeLine;
                    return Ok(Decoded::Framing(2));
                }
                let line_is_whole = bytes.contains(&b'\n') || bytes.len() >= CHUNK_LINE;
                if line_is_whole { Err((Refusal::ChunkEnd, 0)) } else { Ok(Decoded::Partial) }
            }
            DecoderState::Trailers => {
                let Some(line) = line(bytes, Refusal::TrailersTooLong)? else {
                    return Ok(Decoded::Partial);
                };
                if line.is_empty() {
                    return Ok(Decoded::End(2));
                }
                fields::check_line(line)?;
                self.trailers += line.len() + 2;
                if self.trailers > TRAILERS {
                    return Err((Refusal::TrailersTooLong, 0));
                }
                Ok(Decoded::Framing(line.len() + 2))
            }
        }
    }
}

/// The first line, without its CR LF, or `None` while it has no end and may yet get one.
fn line(bytes: &[u8], too_long: Refusal) -> Result<Option<&[u8]>, (Refusal, usize)> {
    let window = &bytes[..bytes.len().min(CHUNK_LINE)];
    let Some(lf) = window.iter().position(|&byte| byte == b'\n') else {
        return if window.len() == CHUNK_LINE { Err((too_long, 0)) } else { Ok(None) };
    };
    // DANGER: a line end that only one of two recipients sees moves the end of the content.
    let line = window[..lf].strip_suffix(b"\r").ok_or((Refusal::BareLf, lf))?;
    match line.iter().position(|&byte| byte == b'\r') {
        Some(cr) => Err((Refusal::BareCr, cr)),
        None => Ok(Some(line)),
    }
}

/// RFC 9112 section 7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn check_extensions(line: &[u8], start: usize) -> Result<(), (Refusal, usize)> {
    let token = |rest: &[u8]| rest.iter().take_while(|&&byte| fields::is_token_byte(byte)).count();
    let blank = |at: usize| at + line[at..].iter().take_while(|byte| b" \t".contains(byte)).count();
    let mut at = start;
    while at < line.len() {
        let semicolon = blank(at);
        if line.get(semicolon) != Some(&b';') {
            let is_size = at == start && semicolon == start;
            return Err((
                if is_size { Refusal::ChunkSize } else { Refusal::ChunkExtension },
                semicolon.min(line.len() - 1),
            ));
        }
        let name = blank(semicolon + 1);
        at = name + token(&line[name..]);
        if at == name {
            return Err((Refusal::ChunkExtension, name.min(line.len() - 1)));
        }
        let equals = blank(at);
        if line.get(equals) == Some(&b'=') {
            let value = blank(equals + 1);
            at = value + token(&line[value..]).max(quoted(&line[value..]));
            if at == value {
                return Err((Refusal::ChunkExtension, value.min(line.len() - 1)));
            }
        }
    }
    Ok(())
}

/// The length of the quoted string at the start, or zero (RFC 9110 section 5.6.4).
fn quoted(text: &[u8]) -> usize {
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

/// One chunk, as this server sends it. `data` must not be empty: an empty chunk would end the content.
pub fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The last chunk, and no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes what comes in pieces of `pace` bytes: the content, and how many bytes it took.
    fn decode(wire: &[u8], pace: usize) -> Result<(Vec<u8>, usize), (Refusal, usize)> {
        let (mut decoder, mut content, mut used) = (Decoder::new(1000), Vec::new(), 0);
        for come in (0..=wire.len()).filter(|come| come % pace == 0 || *come == wire.len()) {
            loop {
                let rest = &wire[used..come];
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
    fn chunks_are_put_together_at_every_pace() {
        let wire = b"5\r\nhello\r\n6 ; a = \"b;\\\" c\";d\r\n world\r\n000\r\nX-Sum: 1\r\n\r\nGET";
        for pace in 1..=wire.len() {
            assert_eq!(decode(wire, pace), Ok((b"hello world".to_vec(), wire.len() - 3)));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut wire = Vec::new();
        encode_chunk(b"hello", &mut wire);
        encode_chunk(&[b'x'; 300], &mut wire);
        wire.extend_from_slice(LAST_CHUNK);
        let content = [b"hello".to_vec(), vec![b'x'; 300]].concat();
        assert_eq!(decode(&wire, 7), Ok((content, wire.len())));
    }

    #[test]
    fn what_two_decoders_could_read_differently_is_refused_at_its_byte() {
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
            for pace in 1..=wire.len() {
                let name = String::from_utf8_lossy(wire);
                assert_eq!(decode(wire, pace), Err((refusal, at)), "{name:?} at {pace}");
            }
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = [b"5;a=".to_vec(), vec![b'b'; CHUNK_LINE]].concat();
        assert_eq!(decode(&long, 1000), Err((Refusal::ChunkExtensionsTooLong, 0)));
        let many = [b"1;".to_vec(), vec![b'b'; 3000], b"\r\nx\r\n".to_vec()].concat().repeat(6);
        assert!(matches!(decode(&many, 1000), Err((Refusal::ChunkExtensionsTooLong, _))));
        let zeros = [vec![b'0'; 3000], b"1\r\nx\r\n".to_vec()].concat().repeat(6);
        assert!(matches!(decode(&zeros, 1000), Err((Refusal::ChunkExtensionsTooLong, _))));
        let trailers = [b"0\r\n".to_vec(), b"X: y\r\n".repeat(TRAILERS)].concat();
        assert!(matches!(decode(&trailers, 1000), Err((Refusal::TrailersTooLong, _))));
    }
}
