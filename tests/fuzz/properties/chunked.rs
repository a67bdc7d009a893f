//! Chunked bodies: the decoder agrees with a second decoder, written from the grammar, and its result
//! does not depend on where the bytes were cut.

use openkitchen::message::chunked::{Decoded, Decoder, LAST_CHUNK, encode_chunk};
use openkitchen::message::refusal::Refusal;

use super::Random;

pub fn check(bytes: &[u8]) {
    let mut random = Random::from(bytes);
    for limit in [u64::MAX, 100] {
        let whole = decode(bytes, limit, |left| left);
        assert_eq!(decode(bytes, limit, |_| 1), whole, "byte by byte");
        assert_eq!(decode(bytes, limit, |left| 1 + random.below(left)), whole, "in random reads");
        if let Outcome::Whole(content, _) = &whole {
            assert!(content.len() as u64 <= limit);
        }
        let is_past_a_limit = matches!(whole, Outcome::Refused(refusal, _) if is_limit(refusal));
        if !is_past_a_limit {
            let expected = parse(bytes).map(|(content, end)| Outcome::Whole(content, end));
            let whole = Some(whole).filter(|outcome| matches!(outcome, Outcome::Whole(..)));
            assert_eq!(whole, expected, "the two decoders disagree");
        }
    }
    encoded_content_is_decoded_to_the_same_bytes(bytes, &mut random);
}

fn is_limit(refusal: Refusal) -> bool {
    use Refusal::{ChunkExtensionsTooLong, ContentTooLarge, TrailersTooLong};
    [ContentTooLarge, ChunkExtensionsTooLong, TrailersTooLong].contains(&refusal)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The content, and the offset where the body ends.
    Whole(Vec<u8>, usize),
    /// The refusal, and the offset of its byte.
    Refused(Refusal, usize),
    /// The body is incomplete.
    Partial,
}

/// Decodes bytes that arrive in several reads. `read_length` gives the length of the next read from the
/// number of bytes left.
fn decode(bytes: &[u8], limit: u64, mut read_length: impl FnMut(usize) -> usize) -> Outcome {
    let (mut decoder, mut content) = (Decoder::new(limit), Vec::new());
    let (mut used, mut received) = (0, 0);
    while received < bytes.len() {
        received += read_length(bytes.len() - received);
        loop {
            let rest = &bytes[used..received];
            match decoder.step(rest) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Framing(length)) => used += length,
                Ok(Decoded::Content(length)) => {
                    content.extend_from_slice(&rest[..length]);
                    used += length;
                }
                Ok(Decoded::End(length)) => return Outcome::Whole(content, used + length),
                Err((refusal, at)) => {
                    assert!(at < rest.len(), "{refusal:?} is at a byte that is not received");
                    return Outcome::Refused(refusal, used + at);
                }
            }
        }
    }
    Outcome::Partial
}

/// A second decoder, by the grammar of RFC 9112 section 7.1. Returns the content and the offset where the
/// body ends. `None` if the bytes do not begin with a complete chunked body.
fn parse(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut rest, mut content) = (bytes, Vec::new());
    loop {
        let line = line(&mut rest)?;
        let size = line.split(|byte| !byte.is_ascii_hexdigit()).next()?;
        if !is_chunk_ext(&line[size.len()..]) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    loop {
        match line(&mut rest)? {
            b"" => return Some((content, bytes.len() - rest.len())),
            field => {
                let colon = field.iter().position(|&byte| byte == b':')?;
                let (name, value) = (&field[..colon], &field[colon + 1..]);
                if name.is_empty() || !name.iter().all(is_tchar) || !value.iter().all(is_text) {
                    return None;
                }
            }
        }
    }
}

/// The bytes before the next CR LF. `None` if they contain a CR or LF.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some(line)
}

/// Section 7.1.1: `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, byte by byte.
fn is_chunk_ext(text: &[u8]) -> bool {
    /// What the previous byte was.
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Size,
        Blank,
        Semicolon,
        Name,
        BlankAfterName,
        Equals,
        Value,
        Quoted,
        Escaped,
        QuotedEnd,
    }
    use State::{
        Blank, BlankAfterName, Equals, Escaped, Name, Quoted, QuotedEnd, Semicolon, Size, Value,
    };
    let step = |state: State, byte: &u8| {
        let is_blank = b" \t".contains(byte);
        Some(match (state, byte) {
            (Quoted, b'"') => QuotedEnd,
            (Quoted, b'\\') => Escaped,
            (Quoted | Escaped, byte) if is_text(byte) => Quoted,
            (Quoted | Escaped, _) => return None,
            (Equals, b'"') => Quoted,
            (Semicolon | Name, byte) if is_tchar(byte) => Name,
            (Equals | Value, byte) if is_tchar(byte) => Value,
            (Semicolon | Equals, _) if is_blank => state,
            (Semicolon | Equals, _) => return None,
            (Name | BlankAfterName, b'=') => Equals,
            (Name | BlankAfterName, _) if is_blank => BlankAfterName,
            (_, b';') => Semicolon,
            (_, _) if is_blank => Blank,
            _ => return None,
        })
    };
    let end = text.iter().try_fold(Size, step);
    end.is_some_and(|state| [Size, Name, Value, QuotedEnd].contains(&state))
}

fn is_tchar(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn is_text(byte: &u8) -> bool {
    *byte == b'\t' || !byte.is_ascii_control()
}

fn encoded_content_is_decoded_to_the_same_bytes(content: &[u8], random: &mut Random) {
    let (mut encoded, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(1 + random.below(rest.len()));
        encode_chunk(chunk, &mut encoded);
        rest = after;
    }
    encoded.extend_from_slice(LAST_CHUNK);
    let expected = Outcome::Whole(content.to_vec(), encoded.len());
    assert_eq!(decode(&encoded, u64::MAX, |left| left), expected);
}
