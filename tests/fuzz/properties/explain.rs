//! Any bytes of a connection can be followed, explained and judged, and the result does not depend on the
//! reads.

use openkitchen::Transcript;
use openkitchen::message::dialogue::Dialogue;
use openkitchen::message::responses::ResponseCollector;
use openkitchen::transcript::explain::{
    ConnectionExplainer, Pasted, Remark, annotate, explain, pasted,
};
use openkitchen::transcript::{Block, Bytes, Item, Note, Side};

use super::Random;
use super::transcript::printing_and_parsing_change_nothing;

/// Inputs of at most so many bytes are explained byte by byte. Longer ones would take too long.
const SHORT: usize = 128;

pub fn check(bytes: &[u8]) {
    for side in [None, Some(Side::Client), Some(Side::Server)] {
        explain(bytes, side, None).iter().for_each(|remark| a_remark_can_be_printed(remark, bytes));
    }
    pasted_text_can_be_printed(bytes);
    the_pace_changes_no_remark(bytes, Side::Client);
    the_pace_changes_no_remark(bytes, Side::Server);
    // The client sent the bytes before the first status line, and the server the rest.
    let is_status_line =
        |&at: &usize| bytes[at..].starts_with(b"HTTP/") && (at == 0 || bytes[at - 1] == b'\n');
    let (requests, responses) =
        bytes.split_at((0..bytes.len()).find(is_status_line).unwrap_or(bytes.len()));
    the_pace_changes_no_count(requests, responses);
    annotating_changes_no_block(requests, responses);
    the_pace_changes_no_response(requests, responses);
}

fn read_length(bytes: &[u8]) -> usize {
    if bytes.len() <= SHORT { 1 } else { 1 + Random::from(bytes).below(bytes.len()) }
}

fn a_remark_can_be_printed(remark: &Remark, bytes: &[u8]) {
    let Remark { span, about, text, .. } = remark;
    assert!(span.start <= span.end && span.end <= bytes.len(), "{remark:?}");
    assert!(!about.contains(char::is_control), "{remark:?}");
    assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{remark:?}");
    assert!(!remark.lines(60).is_empty());
}

fn pasted_text_can_be_printed(bytes: &[u8]) {
    match pasted(bytes) {
        Some(
            Pasted::Messages { wire: lines, notes: remarks, .. } | Pasted::Heads { lines, remarks },
        ) => {
            remarks.iter().for_each(|remark| a_remark_can_be_printed(remark, &lines));
        }
        Some(Pasted::Transcript { transcript, .. }) => {
            printing_and_parsing_change_nothing(&transcript);
        }
        None => {}
    }
}

fn the_pace_changes_no_count(requests: &[u8], responses: &[u8]) {
    let counts = |read_length: usize| {
        let mut dialogue = Dialogue::new();
        for (from, bytes) in [(Side::Client, requests), (Side::Server, responses)] {
            bytes.chunks(read_length).for_each(|read| _ = dialogue.follow(from, read));
        }
        let finals = [Side::Client, Side::Server].map(|side| dialogue.progress(side).finals);
        (dialogue.requests(), dialogue.unanswered(), finals, dialogue.has_switched())
    };
    let read_length = 1 + Random::from(requests).below(responses.len() + 1);
    let whole = counts(1 + requests.len() + responses.len());
    assert_eq!(counts(read_length), whole, "{read_length} bytes at a time");
}

fn annotating_changes_no_block(requests: &[u8], responses: &[u8]) {
    let block = |from, bytes: &[u8]| {
        let (note, bytes) = (Note::default(), Bytes::raw(bytes));
        Item::Block(Block { connection: 1, from, note, bytes })
    };
    let (first, rest) = requests.split_at(Random::from(requests).below(requests.len() + 1));
    let transcript = Transcript {
        items: vec![
            block(Side::Client, first),
            block(Side::Client, rest),
            block(Side::Server, responses),
        ],
    };
    let annotated = annotate(&transcript, 80);
    let is_block = |item: &&Item| matches!(item, Item::Block(_));
    assert!(annotated.items.iter().filter(is_block).eq(&transcript.items));
    printing_and_parsing_change_nothing(&annotated);
}

fn the_pace_changes_no_response(requests: &[u8], responses: &[u8]) {
    let collect = |read_length: usize| {
        let mut collector = ResponseCollector::new();
        requests.chunks(read_length).for_each(|bytes| collector.sent(bytes));
        responses.chunks(read_length).for_each(|bytes| collector.received(bytes));
        collector
    };
    let mut cut = collect(read_length(responses));
    let mut whole = collect(requests.len().max(responses.len()).max(1));
    for is_ended in [false, true] {
        if is_ended {
            cut.end();
            whole.end();
        }
        assert_eq!(whole.finals(), cut.finals());
        assert_eq!(whole.interims(), cut.interims());
        assert_eq!(whole.fault().is_some(), cut.fault().is_some());
        assert_eq!(whole.allowed_responses(), cut.allowed_responses());
        for response in whole.finals().iter().chain(whole.interims()) {
            let bytes = &responses[response.span.clone()];
            assert!(response.is_whole || is_ended);
            assert!(bytes.starts_with(&response.head));
            assert!(response.head.len() + response.content.len() <= bytes.len());
        }
        for fault in [whole.fault(), cut.fault()].into_iter().flatten() {
            assert!(fault.at < responses.len(), "{fault:?}");
        }
    }
}

/// The remarks are the same for one read and for many. Only the remarks about broken bytes may differ,
/// because more bytes may show more of what is wrong. Whether bytes are broken does not depend on the
/// reads.
fn the_pace_changes_no_remark(bytes: &[u8], side: Side) {
    let remarks = |read_length: usize| {
        let mut explainer = ConnectionExplainer::default();
        let reads = bytes.chunks(read_length);
        let mut remarks: Vec<Remark> =
            reads.flat_map(|read| explainer.explain_bytes(side, read)).collect();
        remarks.extend(explainer.explain_end(side));
        remarks.sort_by_key(|remark| remark.span.start);
        remarks
    };
    let read_length = read_length(bytes);
    let (cut, whole) = (remarks(read_length), remarks(bytes.len().max(1)));
    let is_broken = |remarks: &[Remark]| remarks.iter().any(|remark| remark.is_fault);
    assert_eq!(is_broken(&cut), is_broken(&whole), "{read_length} bytes at a time");
    assert!(is_broken(&whole) || cut == whole, "{read_length} bytes at a time: {cut:?}, {whole:?}");
}
