//! Tests of whole transcripts: the example of `mod.rs`, and the two laws on random models.

use super::random::Random;
use super::*;

/// The first example of `mod.rs`, as text.
fn example() -> String {
    include_str!("mod.rs")
        .lines()
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//!").trim_start_matches(' ').to_owned() + "\n")
        .collect()
}

fn parsed(text: &str) -> Transcript {
    Transcript::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn block(connection: u32, from: Side, note: &str, bytes: &str) -> Item {
    Item::Block(Block { connection, from, note: Note::new(note), bytes: Bytes::raw(bytes) })
}

fn event(connection: u32, kind: EventKind, note: &str) -> Item {
    Item::Event(Event { connection, kind, note: Note::new(note) })
}

fn prose(text: &str) -> Item {
    Item::Prose(Prose::new(text))
}

fn status(text: &str) -> Assertion {
    Assertion::first(Fact::Status(Statuses::new(text).expect("a status")))
}

#[test]
fn the_example_of_the_module_is_canonical() {
    let request = "GET / HTTP/1.1\r\nHost : example.test\r\n\r\n";
    let content = "a space stands between a header field's name and its colon\n";
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{content}",
        content.len(),
    );
    let model = parsed(&example());
    assert_eq!(model.title(), Some("A space before the colon is refused"));
    assert_eq!(
        model.items[2..],
        [
            block(1, Side::Client, "", request),
            block(1, Side::Server, &format!("{} bytes, +0.1 ms", response.len()), &response),
            event(1, EventKind::Closed(Side::Server), ""),
            Item::Assertions(vec![status("400"), Assertion::Closed]),
        ]
    );
    assert_eq!(model.to_string(), example());
}

#[test]
fn empty_lines_separate_parts_outside_of_blocks() {
    let text = "\
# two connections, one of them slow
--- open
--- @2 open why not

>>> @2
GET / HTTP/1.1
--- @2 wait 200ms
>>> @2 the rest of the head

# a line of prose ends the block, and no empty line precedes it
#
#   but prose may

<<< @1 @ home
HTTP/1.1 204 No Content

???
status 204

???
open 300ms

# prose keeps its distance from assertions
--- wait 1s

# and from what happened
--- silent 2s

???
";
    let model = parsed(text);
    assert_eq!(
        model.items,
        [
            prose("two connections, one of them slow"),
            event(1, EventKind::Open, ""),
            event(2, EventKind::Open, "why not"),
            block(2, Side::Client, "", "GET / HTTP/1.1\r\n"),
            event(2, EventKind::Wait(Millis(200)), ""),
            block(2, Side::Client, "the rest of the head", "\r\n"),
            prose("a line of prose ends the block, and no empty line precedes it"),
            prose(""),
            prose("  but prose may"),
            block(1, Side::Server, "@ home", "HTTP/1.1 204 No Content\r\n\r\n"),
            Item::Assertions(vec![status("204")]),
            Item::Assertions(vec![Assertion::Open(Millis(300))]),
            prose("prose keeps its distance from assertions"),
            event(1, EventKind::Wait(Millis(1000)), ""),
            prose("and from what happened"),
            event(1, EventKind::Silent(Millis(2000)), ""),
            Item::Assertions(Vec::new()),
        ]
    );
    assert_eq!(model.to_string(), text);
}

#[test]
fn text_that_is_not_canonical_is_printed_canonically() {
    for (text, canonical) in [
        ("", ""),
        ("\n \n", ""),
        ("#title  ", "# title\n"),
        ("# a tab:\t.", "# a tab:\\t.\n"),
        (">>>   @1  a   note \na", ">>> a   note\na\n"),
        (">>>\r\na\r\n\r\nb\\\r\n", ">>>\na\n\nb\\\n"),
        ("---  @01   client   closed  by  hand", "--- client closed by  hand\n"),
        ("--- wait 1000ms", "--- wait 1s\n"),
        ("--- open @2", "--- open @2\n"),
        ("???  \n\n  1:  status  200\n\n2: closed: no", ""),
        ("???\n\n  1:  status  200\n\nclosed", "???\nstatus 200\nclosed\n"),
    ] {
        let printed = Transcript::parse(text).map(|model| model.to_string()).unwrap_or_default();
        assert_eq!(printed, canonical, "{text}");
    }
}

#[test]
fn a_printer_prints_item_by_item_what_display_prints() {
    let model = parsed(&example());
    let mut printer = Printer::new();
    let mut text = String::new();
    model.items.iter().for_each(|item| printer.print(item, &mut text));
    assert_eq!(text, example());
}

#[test]
fn a_byte_order_mark_at_the_start_is_passed_over() {
    assert_eq!(parsed(&format!("\u{feff}{}", example())), parsed(&example()));
    let error = Transcript::parse("\u{feff}\u{feff}# twice").expect_err("one is too many");
    assert_eq!((error.line, error.column), (1, 1));
}

#[test]
fn a_group_before_a_response_is_about_the_request() {
    use Side::{Client, Server};
    for (text, sides) in [
        (">>>\n???\nmethod GET\n<<<\n???\nstatus 200\n", &[Client, Server][..]),
        // A page without a request: each group is about the request that the next block answers.
        ("???\nfield Host\n<<<\n???\nfield Host\n--- wait 1s\n# or so\n<<<\n", &[Client, Client]),
        // What only a response has, or a connection, makes a group about responses.
        (">>>\n???\nstatus 200\nfield Date\n<<<\n", &[Server]),
        (">>>\n???\nfield Date\nclosed\n<<<\n", &[Server]),
        (">>>\n???\nopen 1s\n<<<\n", &[Server]),
        // No response follows, or a request comes first.
        (">>>\n???\nfield Date\n", &[Server]),
        (">>>\n???\nfield Date\n>>>\n<<<\n", &[Server]),
        // Only the blocks of the same connection count.
        (">>> @2\n???\nfield Date\n<<<\n>>> @2\n<<< @2\n", &[Server]),
        (">>> @2\n???\nfield Host\n>>>\n<<< @2\n", &[Client]),
        ("--- @2 open\n???\nfield Host\n<<< @2\n", &[Client]),
        ("???\n<<<\n", &[Server]),
    ] {
        let items = parsed(text).items;
        let subjects = items.iter().zip(subjects(&items));
        let groups = subjects.filter(|(item, _)| matches!(item, Item::Assertions(_)));
        let found: Vec<Side> = groups.map(|(_, side)| side).collect();
        assert_eq!(found, sides, "{text}");
    }
}

#[test]
fn every_model_can_be_printed_and_parsed_again() {
    let mut random = Random(0x0bad_5eed);
    for round in 0..5000 {
        let model = random.transcript();
        let text = model.to_string();
        assert_eq!(Transcript::parse(&text).as_ref(), Ok(&model), "round {round}:\n{text}");
        for line in text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').expect("each line has its end");
            assert_eq!(line, line.trim_end(), "round {round}: white space at the end of a line");
            assert!(!line.contains(char::is_control), "round {round}: {line:?}");
        }
    }
}

#[test]
fn a_damaged_text_is_an_error_or_a_model_that_can_be_printed_and_parsed_again() {
    let mut random = Random(0x0dd_ba11);
    let mut parsed_texts = 0;
    for round in 0..4000 {
        let mut text = random.transcript().to_string().into_bytes();
        for _ in 0..=random.below(3) {
            random.mutate(&mut text);
        }
        let text = String::from_utf8_lossy(&text);
        match Transcript::parse(&text) {
            Ok(model) => {
                parsed_texts += 1;
                assert_eq!(parsed(&model.to_string()), model, "round {round}:\n{text}");
            }
            Err(error) => {
                let shown = error.to_string();
                let mut lines = shown.lines();
                assert!(!lines.any(|line| line.contains(char::is_control)), "{shown:?}");
                assert!((1..=error.text.chars().count() + 1).contains(&error.column), "{shown}");
            }
        }
    }
    assert!(parsed_texts > 400, "only {parsed_texts} damaged texts could be parsed");
}
