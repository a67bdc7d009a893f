//! Tests of `openkitchen learn`: a session whose input is a pipe, the text of all lessons, what is
//! kept, and the questions that a learner asks.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use openkitchen::Transcript;
use openkitchen::transcript::paragraphs::{key, paragraphs};

use crate::support::process::{
    Exit, Folder, ServerProcess, TIMEOUT, free_address, openkitchen, run, run_with_input, signal,
};

/// A lesson of the folder: its name without number and ending, and its paragraphs.
struct LessonFile {
    number: usize,
    name: String,
    paragraphs: Vec<String>,
}

impl LessonFile {
    /// The texts with this key.
    fn texts(&self, wanted: &str) -> Vec<&str> {
        let keys = self.paragraphs.iter().filter_map(|paragraph| key(paragraph));
        keys.filter(|(key, _)| *key == wanted).map(|(_, text)| text).collect()
    }

    /// The number of the right answer, from 1.
    fn right(&self) -> usize {
        let keys = self.paragraphs.iter().filter_map(|paragraph| Some(key(paragraph)?.0));
        let mut answers = keys.filter(|key| ["answer", "right"].contains(key));
        1 + answers.position(|key| key == "right").expect("a right answer")
    }
}

/// Reads the lessons, or what breaks them.
fn files(are_breaks: bool) -> Vec<LessonFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/openkitchen/site/lessons");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: &PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (number, name) = stem.split_once('-').unwrap();
        let transcript = Transcript::parse(&fs::read_to_string(path).unwrap()).unwrap();
        let paragraphs = paragraphs(&transcript.items);
        LessonFile { number: number.parse().unwrap(), name: name.to_owned(), paragraphs }
    };
    paths.iter().map(file).filter(|file| file.name.contains(".break-") == are_breaks).collect()
}

static LESSONS: LazyLock<Vec<LessonFile>> = LazyLock::new(|| files(false));

fn lesson(name: &str) -> &'static LessonFile {
    LESSONS.iter().find(|lesson| lesson.name == name).unwrap_or_else(|| panic!("{name}"))
}

/// What of the text of all lessons is about this one.
fn printed_lesson<'a>(printed: &'a str, lesson: &LessonFile) -> &'a str {
    let from =
        |number: usize| printed.split(&format!("\nLesson {number} of ")).nth(1).unwrap_or("");
    let (rest, next) = (from(lesson.number), from(lesson.number + 1));
    if next.is_empty() { rest } else { &rest[..rest.len() - next.len()] }
}

/// The command with a folder for what it keeps.
fn learn(state: &Folder, arguments: &str) -> Command {
    let mut command = openkitchen(&format!("learn {arguments}"));
    command.env("XDG_STATE_HOME", state.file(""));
    command
}

/// Runs a session with these lines as input.
fn session(state: &Folder, arguments: &str, lines: &str) -> Exit {
    let ended = run_with_input(&mut learn(state, arguments), lines.as_bytes());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    ended
}

/// The words of a text, with one space between two.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kept(state: &Folder) -> PathBuf {
    state.file("openkitchen").join("learn")
}

/// Enter, more often than a lesson asks.
fn enters() -> String {
    "\n".repeat(8)
}

#[test]
fn a_lesson_asks_sends_explains_and_compares() {
    let state = Folder::new();
    let lesson = lesson("no-host");
    let right = lesson.right();
    let wrong = if right == 1 { 2 } else { 1 };
    let text = lesson.texts("right")[0];
    for (typed, verdict) in [
        (right.to_string(), format!("You said {right}, and so it is: {text}")),
        (wrong.to_string(), format!("You said {wrong}. It is {right}: {text}")),
        (String::new(), format!("It is {right}: {text}")),
    ] {
        let ended = session(&state, "no-host", &format!("{typed}\n{}q\n", "\n".repeat(3)));
        let said = words(&ended.stdout);
        for part in [
            &*verdict,
            lesson.texts("because")[0],
            lesson.texts("keep")[0],
            "400 Bad Request",
            "Break it: ",
        ] {
            assert!(said.contains(&words(part)), "{part}: {}", ended.stdout);
        }
        let position = |part: &str| said.find(part).unwrap_or_else(|| panic!("{part}: {said}"));
        assert!(position("Predict: ") < position("HTTP/1.1 400"), "the question comes first");
    }
}

#[test]
fn the_rule_is_shown_on_request_and_other_input_asks_again() {
    let state = Folder::new();
    let ended = session(&state, "no-host", "r\n9\nwhat?\nq\n");
    assert!(ended.stdout.contains("RFC 9112 section 3.2"), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("or Enter (r: the rule, e: ").count(), 4, "{}", ended.stdout);
    let said = words(&ended.stdout);
    let keys = "A number from 1 to 3 answers. Enter goes on, r shows the rule, e explains all";
    assert_eq!(said.matches(keys).count(), 2, "{}", ended.stdout);
    assert!(!ended.stdout.contains("HTTP/1.1 400"), "nothing was sent");
    assert!(ended.stdout.ends_with("\nTo go on: openkitchen learn\n"), "{}", ended.stdout);
}

#[test]
fn it_goes_on_where_the_reader_was() {
    let state = Folder::new();
    let first = session(&state, "", "");
    assert!(first.stdout.contains("\nLesson 1 of "), "{}", first.stdout);
    // One lesson to its end, then the end of the input in the next.
    let ended = session(&state, "3", &enters()[..4]);
    let said = &ended.stdout;
    assert!(said.contains("\nLesson 3 of "), "{said}");
    session(&state, "3", &enters());
    let list = run(&mut learn(&state, "--list")).stdout;
    let marked = |word: &str| -> Vec<usize> {
        let lines = list.lines().filter_map(|line| line.trim_start().strip_prefix(word));
        lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(marked("done"), [3], "{list}");
    assert!(marked("next").iter().all(|number| *number > 3), "{list}");
    let again = session(&state, "", "q\n");
    assert!(again.stdout.contains(&format!("\nLesson {} of ", marked("next")[0])), "{list}");
    assert!(again.stdout.contains("(1 done)"), "{}", again.stdout);
}

#[test]
fn a_reader_who_has_done_all_is_told_so() {
    let state = Folder::new();
    session(&state, "1", "");
    let done: String = LESSONS.iter().map(|lesson| format!("done {}\n", lesson.name)).collect();
    fs::write(kept(&state), format!("openkitchen learn 1\n{done}")).unwrap();
    let ended = session(&state, "", "");
    let all = format!("All {} lessons are done.", LESSONS.len());
    assert!(ended.stdout.starts_with(&all), "{}", ended.stdout);
    // The last lesson that was missing.
    let but_one = done.replace("done no-host\n", "");
    fs::write(kept(&state), format!("openkitchen learn 1\n{but_one}")).unwrap();
    let ended = session(&state, "", &enters());
    let number = lesson("no-host").number;
    assert!(ended.stdout.contains(&format!("\nLesson {number} of ")), "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .ends_with(&format!("That was the last one: all {} are done.\n\n", LESSONS.len()))
    );
}

#[test]
fn ctrl_c_ends_it_with_a_sentence() {
    let state = Folder::new();
    for name in ["INT", "TERM"] {
        let mut command = learn(&state, "no-host");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut said, mut stdout) = (String::new(), child.stdout.take().unwrap());
        while !said.ends_with("q: end): ") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            said.push(char::from(byte[0]));
        }
        signal(name, &child.id().to_string());
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\nTo go on: openkitchen learn\n");
        assert_eq!(child.wait().unwrap().code(), Some(0), "SIG{name}");
    }
}

#[test]
fn a_damaged_file_begins_the_course_anew_and_says_so() {
    let state = Folder::new();
    session(&state, "3", "");
    let path = kept(&state);
    assert!(fs::read_to_string(&path).unwrap().starts_with("openkitchen learn 1\nat "));
    for damaged in [&b"\xff\xfe"[..], b"", b"openkitchen learn 1\nat \x1b[2J\n", &[b'x'; 40_000]] {
        fs::write(&path, damaged).unwrap();
        let ended = session(&state, "", "q\n");
        assert!(words(&ended.stdout).contains("so the course begins anew."), "{}", ended.stdout);
        assert!(ended.stdout.contains("\nLesson 1 of "), "{}", ended.stdout);
        assert!(fs::read_to_string(&path).unwrap().starts_with("openkitchen learn 1\nat "));
    }
    // Only the file itself is left.
    assert_eq!(fs::read_dir(state.file("openkitchen")).unwrap().count(), 1);
}

#[test]
fn where_nothing_can_be_kept_it_says_so_and_teaches() {
    for variable in ["relative", "/proc/no-such-folder"] {
        let mut command = openkitchen("learn 1");
        command.env("XDG_STATE_HOME", variable);
        let ended = run_with_input(&mut command, b"q\n");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let said = words(&ended.stdout);
        assert!(said.contains("What you have done is not kept: "), "{}", ended.stdout);
        assert!(said.contains("Lesson 1 of "), "{}", ended.stdout);
    }
}

/// Some lessons wait, so their text takes ten seconds: one test reads all that it says.
#[test]
fn the_text_of_all_lessons_is_printed() {
    let ended = openkitchen("learn --print").output().unwrap();
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]), "{printed}");
    has_the_text_of_every_lesson_and_of_what_breaks_it(&printed);
    explains_a_tenth_of_its_lines_and_nothing_twice(&printed);
    answers_each_question_of_a_learner(&printed);
    assert_80_columns("learn --print", &printed);
    has_paragraphs_one_empty_line_apart(&printed);
}

#[track_caller]
fn has_the_text_of_every_lesson_and_of_what_breaks_it(printed: &str) {
    let said = words(printed);
    for lesson in LESSONS.iter() {
        let LessonFile { number, name, paragraphs } = lesson;
        assert!(said.contains(&format!("Lesson {number} of {}: ", LESSONS.len())), "{name}");
        for paragraph in paragraphs {
            let text = match key(paragraph) {
                Some(("next" | "only" | "about" | "needs" | "same", _)) => continue, // for check
                Some((_, text)) => text,
                None => paragraph,
            };
            assert!(said.contains(&words(text)), "{name}: {text}");
        }
    }
    for broken in files(true) {
        let title = format!("Break it: {}", broken.paragraphs[0]);
        assert!(said.contains(&title), "{}", broken.name);
        assert!(broken.paragraphs[1..].iter().all(|text| said.contains(&words(text))), "{title}");
    }
    let unlike = "This server does something else";
    assert!(!said.contains(unlike), "the site does what its lessons say");
    assert!(!said.contains("The lesson is about the lesson site"), "it has what they ask for");
}

/// How many lines of a text are explanations.
fn count_explanations(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("# ")).count()
}

#[test]
fn a_lesson_explains_what_it_is_about_once_and_all_on_request() {
    let state = Folder::new();
    let lines = "e\n\ne\n".to_owned() + &enters();
    let ended = session(&state, "not-allowed", &lines);
    let said = &ended.stdout;
    let (request, rest) = said.split_once("About the request:").unwrap();
    for all in ["# Host: which host", "# DELETE: asks to remove", "# HTTP/1.1: "] {
        assert!(request.contains(all), "e before it is sent: {all}{said}");
    }
    let (answer, rest) = rest.split_once("\nIt is 2: ").unwrap();
    assert!(answer.contains("# Allow: ") && answer.contains("# 405: "), "{said}");
    for other in ["# Host: ", "# HTTP/1.1: ", "# Date: ", "# X-Content-Type-Options: "] {
        assert!(!answer.contains(other), "not its subject: {other}{said}");
    }
    assert!(rest.contains("# Host: "), "e after the break: {said}");
    // Another lesson that names Allow does not explain it again; the same lesson does.
    assert!(fs::read_to_string(kept(&state)).unwrap().contains("\ntold "));
    let other = session(&state, "options", &enters()).stdout;
    assert!(other.contains("\nAllow: GET") && !other.contains("# Allow: "), "{other}");
    let again = session(&state, "not-allowed", &enters()).stdout;
    assert!(again.contains("# Allow: "), "{again}");
}

#[track_caller]
fn explains_a_tenth_of_its_lines_and_nothing_twice(printed: &str) {
    let (lines, explanations) = (printed.lines().count(), count_explanations(printed));
    assert!(explanations > 100 && explanations * 10 < lines, "{explanations} of {lines}");
    let mut known = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with("# (")) {
        assert!(!known.contains(&line), "{line}");
        known.push(line);
    }
}

#[test]
fn a_fresh_start_explains_less_than_sixty_lines_of_a_lesson() {
    for name in ["the-status-line", "a-length-too-small"] {
        let alone = run(&mut openkitchen(&format!("learn --print {name}"))).stdout;
        let count = count_explanations(&alone);
        assert!(count < 60, "{name}: {count} lines in a fresh start\n{alone}");
    }
}

#[test]
fn e_where_nothing_is_sent_says_so() {
    let state = Folder::new();
    let said = session(&state, "under-your-framework", "e\nq\n").stdout;
    assert!(said.contains("\nNothing is sent here, so there is nothing to explain.\n"), "{said}");
}

#[test]
fn a_lesson_is_found_by_a_word_and_the_list_has_the_names() {
    let state = Folder::new();
    let said = session(&state, "etag", "q\n").stdout;
    assert!(said.contains(&format!("\nLesson {} of ", lesson("the-etag").number)), "{said}");
    let list = words(&run(&mut learn(&state, "--list")).stdout);
    for lesson in LESSONS.iter() {
        let LessonFile { number, name, paragraphs } = lesson;
        let row = format!("{number:02} {} ({name})", paragraphs[0]);
        assert!(list.contains(&row), "{row}: {list}");
    }
    let several = run(&mut openkitchen("learn host"));
    assert_eq!(several.code, Some(2));
    assert!(several.stderr.contains("5 a-host-in-the-target, 34 no-host"), "{}", several.stderr);
}

/// Asserts that no line is wider than 80 columns.
fn assert_80_columns(what: &str, text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{what}: {line}");
    }
}

/// That no word is broken is tested with the text of the lessons: the words of each are found. The
/// helps of the commands are in `command.rs`.
#[test]
fn everything_is_80_columns_wide() {
    for arguments in ["learn --list", "check --list", "learn words"] {
        let text = run(&mut openkitchen(arguments)).stdout;
        assert!(text.lines().count() > 5, "{arguments}");
        assert_80_columns(arguments, &text);
    }
    let state = Folder::new();
    for name in ["a-port-opens", "no-host", "under-your-framework"] {
        assert_80_columns(name, &session(&state, name, &format!("r\n{}", enters())).stdout);
    }
}

#[test]
fn one_word_or_all_words_are_explained() {
    let all = run(&mut openkitchen("learn words")).stdout;
    for word in ["origin", "target", "media type"] {
        assert!(all.contains(&format!("\n{word}: ")), "{word}: {all}");
    }
    let one = run(&mut openkitchen("learn words Origin")).stdout;
    assert!(
        one.starts_with("origin: ") && one.contains("\nOrigin: "),
        "the word and the field: {one}"
    );
    let query = run(&mut openkitchen("explain QUERY")).stdout;
    assert!(query.starts_with("query: ") && query.contains("\nQUERY: "), "and the method: {query}");
    for word in [
        "body",
        "URL",
        "request",
        "response",
        "header",
        "GET",
        "CORS",
        "CSRF",
        "TCP",
        "TLS",
        "https",
        "status code",
        "status line",
        "request line",
        "HTTP/2",
        "byte",
        "hex",
        "idle",
        "timeout",
        "keep-alive",
        "404",
        "Content-Type",
    ] {
        let found = run(openkitchen("learn words").arg(word));
        let start = format!("{word}: ");
        assert!(found.code == Some(0) && found.stdout.starts_with(&start), "{}", found.stdout);
    }
    let none = run(&mut openkitchen("learn words orign"));
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("did you mean origin?"), "{}", none.stderr);
}

#[test]
fn the_lessons_are_sent_to_the_server_that_is_named() {
    let site = ServerProcess::start_site("");
    let address = site.address;
    let named = run(&mut openkitchen(&format!("learn --print 2 {address}")));
    assert_eq!(named.code, Some(0), "{}", named.stderr);
    assert!(named.stdout.contains(&format!("Host: {address}\n")), "{}", named.stdout);
    assert!(named.stdout.contains("HTTP/1.1 200 OK\n"), "{}", named.stdout);
    let nobody: SocketAddr = free_address();
    let none = run(&mut openkitchen(&format!("learn --print 2 {nobody}")));
    assert_eq!(none.code, Some(3), "{}", none.stderr);
    assert!(none.stderr.contains("cannot be reached: "), "{}", none.stderr);
}

#[test]
fn what_another_server_does_otherwise_is_said() {
    let page = "???\nmethod GET\n<<<\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello\\\n";
    let folder = Folder::new();
    fs::write(folder.file("any.wire"), page).unwrap();
    let mut mock = openkitchen("mock --loop");
    let mock = ServerProcess::start(mock.arg(folder.file("any.wire")));
    let ended = run(&mut openkitchen(&format!("learn --print no-host {}", mock.address)));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let said = words(&ended.stdout);
    assert!(
        said.contains("This server does something else than the lesson says. Expected: an answer")
    );
    assert!(said.contains(&words(lesson("no-host").texts("next")[0])), "{}", ended.stdout);
}

#[test]
fn a_wrong_argument_is_named_with_what_to_do() {
    let count = LESSONS.len();
    for (arguments, expected) in [
        ("learn no-hots", "did you mean no-host?"),
        ("learn 99", &format!("there is no lesson 99: lessons are 1 to {count}")),
        ("learn 1 2", "learn opens one lesson"),
        ("learn https://127.0.0.1:5000", "TLS"),
        ("learn --prin", "did you mean --print?"),
        ("learn words a b", "one word"),
    ] {
        let ended = run(&mut openkitchen(arguments));
        assert_eq!(ended.code, Some(2), "{arguments}");
        assert!(ended.stderr.contains(expected), "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.ends_with("\nTry `openkitchen learn --help`.\n"), "{arguments}");
    }
}

/// The questions of a learner who knows the lesson's ten lines of Flask: see the head of the file.
#[track_caller]
fn answers_each_question_of_a_learner(printed: &str) {
    let text = include_str!("../questions.txt");
    let blocks: Vec<&str> = text.split("\n\n").filter(|block| !block.starts_with('#')).collect();
    assert_eq!(blocks.len(), 37);
    for block in blocks {
        let mut lines = block.lines();
        let question = lines.next().unwrap();
        assert!(question.ends_with('?'), "{question}");
        let name = lines.next().unwrap().strip_prefix("lesson: ").unwrap();
        let said = words(printed_lesson(printed, lesson(name)));
        let answers: Vec<&str> = lines.filter_map(|line| line.strip_prefix("says: ")).collect();
        assert!(!answers.is_empty(), "{question}");
        for answer in answers {
            assert!(said.contains(answer), "{question}\n{name} does not say: {answer}");
        }
    }
}

// What a server, a terminal or a file system does to it.

/// A server that calls `serve` with each connection, on a thread of its own.
fn server_of(serve: impl Fn(TcpStream) -> io::Result<()> + Copy + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads to the end of the client, or until a read fails.
fn read_all(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

#[test]
fn a_server_without_an_answer_gives_the_exit_code_of_send() {
    let silent = server_of(|stream| read_all(&stream));
    let closing = server_of(|mut stream| stream.read(&mut [0; 1000]).map(drop));
    let garbage = server_of(|mut stream| {
        let _ = stream.read(&mut [0; 1000])?;
        stream.write_all(b"\x00\x01 no HTTP")
    });
    let endless = server_of(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 60_000])?;
        }
    });
    for (address, code) in [(silent, 3), (closing, 4), (garbage, 4), (endless, 0)] {
        for arguments in [format!("learn --print 2 {address}"), format!("learn 2 {address}")] {
            let mut command = openkitchen(&format!("{arguments} --timeout 0.3"));
            let ended = run_with_input(&mut command, enters());
            assert_eq!(ended.code, Some(code), "{arguments}: {} {}", ended.stdout, ended.stderr);
        }
        if address != endless {
            let mut send = openkitchen(&format!("send --timeout 0.3 {address}"));
            let sent = run_with_input(&mut send, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(sent.code, Some(code), "{}", sent.stdout);
        }
    }
    // A reader who sends nothing.
    let ended = run_with_input(&mut openkitchen(&format!("learn 2 {silent}")), "q\n");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn a_server_that_sends_without_end_is_shown_in_part_and_in_little_memory() {
    let interim = server_of(|mut stream| {
        loop {
            stream.write_all(&b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(1000))?;
        }
    });
    let fields = server_of(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(&b"X: y\r\n".repeat(1000))?;
        }
    });
    let answers = server_of(|mut stream| {
        loop {
            stream.write_all(&b"HTTP/1.1 204 No Content\r\n\r\n".repeat(1000))?;
        }
    });
    for address in [interim, fields, answers] {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_openkitchen");
        // 64 MiB of address space for data: a thread's arena takes none of it before it is used.
        let line = format!("ulimit -d 65536; {program} learn --print 3 {address} --timeout 0.5");
        let ended = run(command.args(["-c", &line]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains("\\{"), "what is left out is said: {}", ended.stdout);
        let lines = ended.stdout.lines().count();
        // 1 MiB has far more. How many are shown depends on the reads.
        assert!(lines < 1000, "{lines} lines");
    }
}

#[test]
fn a_session_ends_when_nobody_reads_it() {
    let state = Folder::new();
    let mut command = learn(&state, "");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    // The process reads, or ends and so breaks the pipe.
    let mut stdin = child.stdin.take().unwrap();
    let lines = "y\n".repeat(4096); // no answer, so it asks again
    let since = Instant::now();
    while stdin.write_all(lines.as_bytes()).is_ok() {
        assert!(since.elapsed() < TIMEOUT, "it reads without end");
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let state = Folder::new();
    let input = state.file("message");
    fs::write(&input, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let explain = format!("explain {}", input.display());
    for arguments in [
        "learn 1",
        "learn --print 1",
        "learn --list",
        "learn words",
        "check --list",
        "--help",
        "learn --help",
        "--version",
        &explain,
    ] {
        let mut command = openkitchen(arguments);
        command.env("XDG_STATE_HOME", state.file("")).stdin(Stdio::null());
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments}: {stderr}");
        assert!(stderr.starts_with("openkitchen: cannot write to stdout: "), "{stderr}");
    }
}

#[test]
fn only_a_plain_file_keeps_the_progress_and_a_link_stays_one() {
    let state = Folder::new();
    fs::create_dir(state.file("openkitchen")).unwrap();
    let path = kept(&state);
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    for (arguments, lines) in [("--list", ""), ("1", "q\n")] {
        let said = words(&session(&state, arguments, lines).stdout);
        assert!(said.contains("What you have done is not kept: "), "{said}");
        assert!(said.contains("it is no plain file."), "{said}");
    }
    assert!(!fs::symlink_metadata(&path).unwrap().is_file(), "the pipe is still there");
    fs::remove_file(&path).unwrap();
    // A link, as in a folder of dotfiles. First its file is not there yet.
    std::os::unix::fs::symlink("../elsewhere", &path).unwrap();
    for name in ["no-host", "etag"] {
        session(&state, name, "q\n");
        let text = fs::read_to_string(state.file("elsewhere")).unwrap();
        assert!(text.starts_with("openkitchen learn 1\nat "), "{text}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }
}

#[test]
fn nothing_comes_back_is_a_paragraph() {
    let silent = server_of(|stream| read_all(&stream));
    let printed = run(&mut openkitchen(&format!("learn --print 2 {silent} --timeout 0.3"))).stdout;
    assert!(printed.contains("\n\nNothing comes back.\n\n"), "{printed}");
    has_paragraphs_one_empty_line_apart(&printed);
}

#[track_caller]
fn has_paragraphs_one_empty_line_apart(printed: &str) {
    for part in printed.split("\n\n\n").skip(1).filter(|part| !part.is_empty()) {
        // In bytes, each empty line counts.
        let is_content = part.starts_with("\nGET / ") || part.starts_with("GET / ");
        assert!(part.starts_with("Lesson ") || is_content, "{part}");
    }
}
