//! What crossed a connection can be explained and judged, whatever it was, and at any pace.

use openkitchen::Transcript;
use openkitchen::transcript::explain::{ConnectionExplainer, Remark, annotate, explain};
use openkitchen::transcript::{Block, Bytes, Item, Note, Side, judge};

use super::Random;
use super::transcript::it_survives_its_page;

/// Bytes that are tried one by one.
const SHORT: usize = 128;

pub fn holds(bytes: &[u8]) {
    for side in [None, Some(Side::Client), Some(Side::Server)] {
        explain(bytes, side, None).iter().for_each(|remark| it_can_be_shown(remark, bytes));
    }
    the_pace_explains_nothing(bytes, Side::Client);
    the_pace_explains_nothing(bytes, Side::Server);
    // What begins with the first status line was sent by the server.
    let is_answer =
        |&at: &usize| bytes[at..].starts_with(b"HTTP/") && (at == 0 || bytes[at - 1] == b'\n');
    let (requests, answers) =
        bytes.split_at((0..bytes.len()).find(is_answer).unwrap_or(bytes.len()));
    meaning_stands_behind_the_blocks(requests, answers);
    answers_end_within_what_came(requests, answers);
}

/// A remark speaks of bytes that are there, in words that can be shown.
fn it_can_be_shown(remark: &Remark, bytes: &[u8]) {
    let Remark { span, about, text, .. } = remark;
    assert!(span.start <= span.end && span.end <= bytes.len(), "{remark:?}");
    assert!(!about.contains(char::is_control), "{remark:?}");
    assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{remark:?}");
    assert!(!remark.lines(60).is_empty());
}

/// A page is annotated between its blocks, and they stay what they were.
fn meaning_stands_behind_the_blocks(requests: &[u8], answers: &[u8]) {
    let block = |from, bytes: &[u8]| {
        let (note, bytes) = (Note::default(), Bytes::raw(bytes));
        Item::Block(Block { connection: 1, from, note, bytes })
    };
    let (first, rest) = requests.split_at(Random::from(requests).below(requests.len() + 1));
    let page = Transcript {
        items: vec![
            block(Side::Client, first),
            block(Side::Client, rest),
            block(Side::Server, answers),
        ],
    };
    let annotated = annotate(&page);
    let is_block = |item: &&Item| matches!(item, Item::Block(_));
    assert!(annotated.items.iter().filter(is_block).eq(&page.items));
    it_survives_its_page(&annotated);
}

fn answers_end_within_what_came(requests: &[u8], answers: &[u8]) {
    let ends = judge::ends(requests, answers);
    assert!(ends.is_sorted() && ends.iter().all(|&end| end <= answers.len()), "{ends:?}");
    let finals = judge::finals(requests, answers, false);
    assert!(finals.len() <= ends.len() && finals.iter().all(|answer| answer.is_whole));
    for ended in [false, true] {
        let broken = judge::broken(requests, answers, ended);
        assert!(broken.is_none_or(|(at, _)| at < answers.len()), "{broken:?}");
    }
}

/// The same is said of bytes that come in pieces as of bytes that come at once. Of what is broken there
/// may be more to say where more has come already, but it is broken at every pace.
fn the_pace_explains_nothing(bytes: &[u8], side: Side) {
    let remarks = |pace: usize| {
        let mut explainer = ConnectionExplainer::new();
        let pieces = bytes.chunks(pace);
        let mut remarks: Vec<Remark> =
            pieces.flat_map(|piece| explainer.explain_bytes(side, piece)).collect();
        remarks.extend(explainer.explain_end(side));
        remarks.sort_by_key(|remark| remark.span.start);
        remarks
    };
    let pace = if bytes.len() <= SHORT { 1 } else { 1 + Random::from(bytes).below(bytes.len()) };
    let (pieces, whole) = (remarks(pace), remarks(bytes.len().max(1)));
    let is_broken = |remarks: &[Remark]| remarks.iter().any(|remark| remark.is_fault);
    assert_eq!(is_broken(&pieces), is_broken(&whole), "{pace} bytes at a time");
    assert!(is_broken(&whole) || pieces == whole, "{pace} bytes at a time: {pieces:?}, {whole:?}");
}
