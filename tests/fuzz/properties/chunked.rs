//! Chunked bodies: the decoder agrees with the second reading of RFC 9112, and its result does not
//! depend on where the bytes were cut.

use openkitchen::message::chunked::{Decoded, Decoder, LAST_CHUNK, encode_chunk};
use openkitchen::message::refusal::Refusal;

use crate::rfc::requests::{DEFAULT, Reader};

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
        let whole = Some(whole).filter(|outcome| matches!(outcome, Outcome::Whole(..)));
        assert_eq!(whole, by_the_rfc(bytes, limit), "the two decoders disagree");
    }
    encoded_content_is_decoded_to_the_same_bytes(bytes, &mut random);
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

/// The content and the end of the body, as the second reading of RFC 9112 finds them. `None` if the
/// bytes do not begin with a complete chunked body.
fn by_the_rfc(bytes: &[u8], limit: u64) -> Option<Outcome> {
    let mut reader = Reader::new(bytes, DEFAULT);
    let content = reader.chunked_body(limit).ok()?;
    Some(Outcome::Whole(content, reader.at))
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
