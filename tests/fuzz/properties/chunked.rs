//! Chunked content is what a second decoder, written from the grammar and not from the first, takes
//! it for; and the first decoder finds it wherever the bytes were cut.

use openkitchen::message::chunked::{Decoded, Decoder, LAST_CHUNK, encode_chunk};
use openkitchen::message::refusal::Refusal;

use super::Random;

pub fn holds(bytes: &[u8]) {
    let mut random = Random::from(bytes);
    for limit in [u64::MAX, 100] {
        let whole = decode(bytes, limit, |all| all);
        assert_eq!(decode(bytes, limit, |_| 1), whole, "byte by byte");
        assert_eq!(decode(bytes, limit, |all| 1 + random.below(all)), whole, "in pieces");
        if let Outcome::Whole(content, _) = &whole {
            assert!(content.len() as u64 <= limit);
        }
        let met_a_limit = matches!(whole, Outcome::Refused(refusal, _) if is_limit(refusal));
        if !met_a_limit {
            let plainly = plainly(bytes).map(|(content, end)| Outcome::Whole(content, end));
            let whole = Some(whole).filter(|outcome| matches!(outcome, Outcome::Whole(..)));
            assert_eq!(whole, plainly, "two decoders disagree");
        }
    }
    what_is_written_is_read_back(bytes, &mut random);
}

fn is_limit(refusal: Refusal) -> bool {
    use Refusal::{ChunkExtensionsTooLong, ContentTooLarge, TrailersTooLong};
    [ContentTooLarge, ChunkExtensionsTooLong, TrailersTooLong].contains(&refusal)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The content, and where it ends.
    Whole(Vec<u8>, usize),
    /// Why not, and at which byte.
    Refused(Refusal, usize),
    /// It goes on.
    Partial,
}

/// Decodes what comes in pieces, each as long as `pace` says of what is left.
fn decode(bytes: &[u8], limit: u64, mut pace: impl FnMut(usize) -> usize) -> Outcome {
    let (mut decoder, mut content) = (Decoder::new(limit), Vec::new());
    let (mut used, mut come) = (0, 0);
    while come < bytes.len() {
        come += pace(bytes.len() - come);
        loop {
            let rest = &bytes[used..come];
            match decoder.step(rest) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Framing(length)) => used += length,
                Ok(Decoded::Content(length)) => {
                    content.extend_from_slice(&rest[..length]);
                    used += length;
                }
                Ok(Decoded::End(length)) => return Outcome::Whole(content, used + length),
                Err((refusal, at)) => {
                    assert!(at < rest.len(), "{refusal:?} points beyond what has come");
                    return Outcome::Refused(refusal, used + at);
                }
            }
        }
    }
    Outcome::Partial
}

/// The grammar of RFC 9112 section 7.1, read from top to bottom. `None` where the bytes do not begin
/// with chunked content that is whole.
fn plainly(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut rest, mut content) = (bytes, Vec::new());
    loop {
        let line = line(&mut rest)?;
        let size = line.split(|byte| !byte.is_ascii_hexdigit()).next()?;
        if !are_extensions(&line[size.len()..]) {
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
                if name.is_empty() || !name.iter().all(is_token) || !value.iter().all(is_text) {
                    return None;
                }
            }
        }
    }
}

/// Up to the next CR LF, with neither CR nor LF in it.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some(line)
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, a byte at a time.
fn are_extensions(text: &[u8]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Size,
        Gap,
        Semicolon,
        Name,
        NameGap,
        Equals,
        Value,
        Quoted,
        Escaped,
        QuotedEnd,
    }
    let step = |at: At, byte: &u8| {
        let is_blank = b" \t".contains(byte);
        Some(match (at, byte) {
            (At::Quoted, b'"') => At::QuotedEnd,
            (At::Quoted, b'\\') => At::Escaped,
            (At::Quoted | At::Escaped, byte) if is_text(byte) => At::Quoted,
            (At::Quoted | At::Escaped, _) => return None,
            (At::Equals, b'"') => At::Quoted,
            (At::Semicolon | At::Name, byte) if is_token(byte) => At::Name,
            (At::Equals | At::Value, byte) if is_token(byte) => At::Value,
            (At::Semicolon | At::Equals, _) if is_blank => at,
            (At::Semicolon | At::Equals, _) => return None,
            (At::Name | At::NameGap, b'=') => At::Equals,
            (At::Name | At::NameGap, _) if is_blank => At::NameGap,
            (_, b';') => At::Semicolon,
            (_, _) if is_blank => At::Gap,
            _ => return None,
        })
    };
    let end = text.iter().try_fold(At::Size, step);
    end.is_some_and(|at| [At::Size, At::Name, At::Value, At::QuotedEnd].contains(&at))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn is_text(byte: &u8) -> bool {
    *byte == b'\t' || !byte.is_ascii_control()
}

fn what_is_written_is_read_back(content: &[u8], random: &mut Random) {
    let (mut wire, mut rest) = (Vec::new(), content);
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(1 + random.below(rest.len()));
        encode_chunk(chunk, &mut wire);
        rest = behind;
    }
    wire.extend_from_slice(LAST_CHUNK);
    let expected = Outcome::Whole(content.to_vec(), wire.len());
    assert_eq!(decode(&wire, u64::MAX, |all| all), expected);
}
