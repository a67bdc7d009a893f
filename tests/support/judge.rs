//! Claims, and whether they are true.

use openkitchen::Method;
use openkitchen::message::reader::{Answer, Part, Reader};
use openkitchen::message::visible::Visible;
use openkitchen::transcript::{Claim, Fact};

/// The final answers in what a server sent to a client that sent `requests` (RFC 9110 section 15.2:
/// an interim answer is not the one that the request waits for). One that is not whole yet is left
/// out, unless the connection has ended and no more will come.
pub fn finals(requests: &[u8], answers: &[u8], ended: bool) -> Vec<Answer> {
    let (answers, _) = Answer::all(answers, &methods(requests), ended);
    answers
        .into_iter()
        .filter(|answer| answer.status >= 200)
        .filter(|a| a.is_whole || ended)
        .collect()
}

/// The methods of the requests, as far as they can be followed. Of one that cannot, only this counts:
/// whether it is a HEAD, whose answer has no content.
fn methods(requests: &[u8]) -> Vec<Method> {
    let (mut reader, mut methods, mut used) = (Reader::requests(), Vec::new(), 0);
    let mut start = 0;
    while let Some(stretch) = reader.next(&requests[used..]) {
        used += stretch.length;
        if stretch.part == Part::Unframed {
            let request = &requests[start..];
            let is_head = request.strip_prefix(b"\r\n").unwrap_or(request).starts_with(b"HEAD ");
            methods.push(if is_head { Method::Head } else { Method::Get });
            break;
        }
        if stretch.head_is_whole {
            let method = reader.outline().and_then(|outline| outline.method);
            methods.push(method.unwrap_or(Method::Get));
        }
        if stretch.ends_message {
            start = used;
        }
    }
    methods
}

/// The offsets behind each answer that is whole, interim ones too.
pub fn ends(requests: &[u8], answers: &[u8]) -> Vec<usize> {
    let (mut reader, mut ends, mut used) = (Reader::answers(), Vec::new(), 0);
    methods(requests).into_iter().for_each(|method| reader.asked(method));
    while let Some(stretch) = reader.next(&answers[used..]) {
        used += stretch.length;
        if stretch.ends_message {
            ends.push(used);
        }
    }
    ends
}

/// Whether each request that is whole has its final answer, and that one is whole.
pub fn is_answered(requests: &[u8], answers: &[u8]) -> bool {
    finals(requests, answers, false).len() >= methods(requests).len()
}

/// What follows the last answer and is the beginning of none: content where there should be none.
pub fn stray<'a>(requests: &[u8], answers: &'a [u8], ended: bool) -> Option<&'a [u8]> {
    let (_, used) = Answer::all(answers, &methods(requests), ended);
    let rest = &answers[used..];
    let begins = rest.iter().zip(b"HTTP/1.").all(|(one, other)| one == other);
    (!begins).then_some(rest)
}

/// Which final answer a claim speaks of, counted from 1; 0 for one on the connection.
pub fn nth(claim: &Claim) -> usize {
    match claim {
        Claim::Response { nth, .. } => nth.get() as usize,
        Claim::Closed | Claim::Open(_) => 0,
    }
}

/// Whether a claim on an answer is true of these answers, the first of which is number 1. `Err` says
/// what is, instead. Claims on the connection are not for this function, and always true.
pub fn judge(claim: &Claim, answers: &[Answer]) -> Result<(), String> {
    let Claim::Response { nth, fact } = claim else { return Ok(()) };
    let Some(answer) = answers.get(nth.get() as usize - 1) else {
        return Err(format!("`{claim}`, but {} answers came\n", answers.len()));
    };
    if holds(fact, answer) {
        return Ok(());
    }
    let (head, content) = (Visible(&answer.head), Visible(&answer.content));
    Err(format!("`{claim}` is not true of\n  {head}\n  {content}\n"))
}

fn holds(fact: &Fact, answer: &Answer) -> bool {
    match fact {
        Fact::Status(statuses) => statuses.allow(answer.status),
        Fact::Field(name) => value(answer, name.as_str()).is_some(),
        Fact::NoField(name) => value(answer, name.as_str()).is_none(),
        Fact::FieldIs(name, wanted) => value(answer, name.as_str()).as_ref() == Some(wanted),
        Fact::FieldContains(name, part) => {
            value(answer, name.as_str()).is_some_and(|value| contains(&value, part))
        }
        Fact::Body(wanted) => answer.content == *wanted,
        Fact::BodyContains(part) => contains(&answer.content, part),
    }
}

/// The combined value of all field lines with that name (RFC 9110 section 5.2).
fn value(answer: &Answer, name: &str) -> Option<Vec<u8>> {
    let outline = answer.outline()?;
    let values: Vec<&[u8]> = outline.fields().all(name).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openkitchen::Transcript;
    use openkitchen::transcript::Item;

    const ANSWERS: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nallow: HEAD\r\nContent-Length: 2\r\n\r\nno\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    const REQUESTS: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
        HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";

    fn judged(claims: &str) -> Result<(), String> {
        let page = Transcript::parse(&format!("???\n{claims}\n")).expect("claims");
        let [Item::Claims(claims)] = &page.items[..] else { panic!("only claims") };
        let answers = finals(REQUESTS, ANSWERS, false);
        claims.iter().try_for_each(|claim| judge(claim, &answers))
    }

    #[test]
    fn what_is_claimed_must_be_true_of_the_answer_it_speaks_of() {
        for claim in [
            "status 405",
            "status 2xx|405",
            "field Allow is GET, HEAD",
            "field allow contains HEAD",
            "field Content-Length",
            "no field Date",
            "body \"no\"",
            "body contains \"o\"",
            "2: status 200",
            "2: body \"\"",
        ] {
            assert_eq!(judged(claim), Ok(()), "{claim}");
        }
    }

    #[test]
    fn answers_have_ends_and_nothing_stands_behind_them() {
        assert_eq!(ends(REQUESTS, ANSWERS), [25, 25 + 81, ANSWERS.len()]);
        assert!(is_answered(REQUESTS, ANSWERS) && !is_answered(REQUESTS, &ANSWERS[..110]));
        assert_eq!(stray(REQUESTS, ANSWERS, false), None);
        let more = [ANSWERS, b"hello"].concat();
        assert_eq!(stray(REQUESTS, &more, false), Some(&b"hello"[..]));
    }

    #[test]
    fn what_is_not_true_is_told() {
        for claim in [
            "status 100",
            "field Date",
            "no field Allow",
            "field Allow is GET",
            "field Allow contains PUT",
            "body \"n\"",
            "body contains \"yes\"",
            "2: status 405",
            "3: status 200",
        ] {
            assert!(judged(claim).is_err_and(|told| told.contains(claim)), "{claim}");
        }
    }
}
