//! # Reads the JSON that clients send to the API
//!
//! ```text
//! {"post": 4, "from": {"table": [1, 2]}}
//! ```
//! The API needs one member of one object: `post`. A search for `"post":` in the bytes would find it
//! inside strings as well. So this is a complete JSON parser that keeps one value. Writing is simpler:
//! see [`json`](crate::json).
//!
//! Rule: RFC 8259. Left out: the value of numbers that are not whole (they are parsed, but no post
//! has one).

/// Levels of arrays and objects inside each other, at most. The parser is recursive, and the stack
/// is small. RFC 8259 section 9 allows such a limit.
const MAX_DEPTH: usize = 32;

/// The number of the post in `content`: an object whose member `post` is a whole number, or a string
/// with one. The error completes a sentence for the author of the request.
pub fn post(content: &[u8]) -> Result<u32, String> {
    // RFC 8259 section 8.1: JSON on a network is UTF-8.
    let text = str::from_utf8(content)
        .map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut parser = JsonParser { text, at: 0 };
    parser.skip_whitespace();
    if parser.peek() != Some(b'{') {
        return parser.expected("an object such as {\"post\": 1}");
    }
    let mut found = None;
    parser.object(MAX_DEPTH, &mut |name, value| {
        if name != "post" {
            return Ok(());
        }
        // RFC 8259 section 4: names should be unique. Parsers differ on which of two members counts,
        // so a second one is an error.
        if found.is_some() {
            return Err("the member \"post\" stands twice".to_owned());
        }
        found = Some(match value {
            Value::Number(digits) => number(digits),
            Value::String(text) => number(text),
            Value::Other => None,
        });
        Ok(())
    })?;
    parser.skip_whitespace();
    if parser.at < text.len() {
        return parser.expected("nothing after the object");
    }
    match found {
        Some(Some(post)) => Ok(post),
        Some(None) => {
            Err("the member \"post\" should be a post's number, such as 1 or \"1\"".to_owned())
        }
        None => Err("the object should have a member \"post\", as in {\"post\": 1}".to_owned()),
    }
}

/// A post's number: decimal digits. A number above `u32::MAX` becomes `u32::MAX`, which is the number
/// of no post.
pub fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// Reads `text` from the byte `at`.
struct JsonParser<'a> {
    text: &'a str,
    at: usize,
}

/// A value of a member, as far as the API needs it.
enum Value<'a> {
    Number(&'a str),
    String(&'a str),
    Other,
}

type JsonResult<T> = Result<T, String>;

impl<'a> JsonParser<'a> {
    /// `{"name": value, ...}`. Calls `member` for each member.
    fn object(
        &mut self,
        depth: usize,
        member: &mut dyn FnMut(&str, Value) -> JsonResult<()>,
    ) -> JsonResult<()> {
        self.take(b'{', "an object")?;
        self.skip_whitespace();
        if self.skip(b'}') {
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            let name = self.string("a member's name in double quotes")?;
            self.skip_whitespace();
            self.take(b':', "a colon after the member's name")?;
            self.skip_whitespace();
            if self.peek() == Some(b'"') {
                let value = self.string("a string")?;
                member(&name, Value::String(&value))?;
            } else {
                let value = self.value(depth)?;
                member(&name, value)?;
            }
            self.skip_whitespace();
            if self.skip(b'}') {
                return Ok(());
            }
            self.take(b',', "a comma or the object's closing brace")?;
        }
    }

    fn array(&mut self, depth: usize) -> JsonResult<()> {
        self.take(b'[', "an array")?;
        self.skip_whitespace();
        if self.skip(b']') {
            return Ok(());
        }
        loop {
            self.skip_whitespace();
            self.value(depth)?;
            self.skip_whitespace();
            if self.skip(b']') {
                return Ok(());
            }
            self.take(b',', "a comma or the array's closing bracket")?;
        }
    }

    /// Reads any value to its end.
    fn value(&mut self, depth: usize) -> JsonResult<Value<'a>> {
        let Some(depth) = depth.checked_sub(1) else {
            return self.expected(&format!("no more than {MAX_DEPTH} levels"));
        };
        match self.peek() {
            Some(b'{') => self.object(depth, &mut |_, _| Ok(()))?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => drop(self.string("a string")?),
            Some(b'-' | b'0'..=b'9') => return Ok(Value::Number(self.number()?)),
            _ => match ["true", "false", "null"]
                .into_iter()
                .find(|word| self.text[self.at..].starts_with(word))
            {
                Some(word) => self.at += word.len(),
                None => return self.expected("a value"),
            },
        }
        Ok(Value::Other)
    }

    /// RFC 8259 section 6: `[ minus ] int [ frac ] [ exp ]`, without leading zeros.
    fn number(&mut self) -> JsonResult<&'a str> {
        let start = self.at;
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _sign = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> JsonResult<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.expected("a digit") } else { Ok(()) }
    }

    /// RFC 8259 section 7. Escapes are decoded, because `"p\u006fst"` is the name `post` as well.
    fn string(&mut self, what: &str) -> JsonResult<String> {
        self.take(b'"', what)?;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(character) = rest.chars().next() else {
                return self.expected("the string's closing quote");
            };
            match character {
                '\0'..='\x1f' => return self.expected("no control character inside a string"),
                '"' => {
                    self.at += 1;
                    return Ok(string);
                }
                '\\' => string.push(self.escape()?),
                character => {
                    self.at += character.len_utf8();
                    string.push(character);
                }
            }
        }
    }

    fn escape(&mut self) -> JsonResult<char> {
        self.take(b'\\', "a backslash")?;
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.utf16();
            }
            _ => return self.expected("one of \" \\ / b f n r t u after a backslash"),
        };
        self.at += 1;
        Ok(character)
    }

    /// The character after `\u`: four hex digits. A character beyond U+FFFF is a surrogate pair, in
    /// two escapes. Half a pair is an error (section 8.2).
    fn utf16(&mut self) -> JsonResult<char> {
        let first = self.hex4()?;
        let mut units = vec![first];
        if matches!(first, 0xd800..=0xdbff) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            units.push(self.hex4()?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(character)) => Ok(character),
            _ => self.expected("the two halves of a surrogate pair"),
        }
    }

    fn hex4(&mut self) -> JsonResult<u16> {
        let hex = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let Some(hex) = hex else {
            return self.expected("four hex digits");
        };
        self.at += 4;
        Ok(hex
            .iter()
            .fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0) as u16))
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte` if it is next, and says whether it was.
    fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over `byte`. If another byte is next, the error says that `what` was expected.
    fn take(&mut self, byte: u8, what: &str) -> JsonResult<()> {
        if self.skip(byte) { Ok(()) } else { self.expected(what) }
    }

    fn expected<T>(&self, what: &str) -> JsonResult<T> {
        let end = if self.at == self.text.len() { ", which is the end" } else { "" };
        Err(format!("expected {what} at byte {}{end}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_post_is_found_among_other_members() {
        for json in [
            r#"{"post":4}"#,
            r#" { "post" : "4" } "#,
            "\r\n{\t\"post\":\n4}",
            r#"{"a":{"post":9},"b":["post",{"post":8},[]],"c":"\"post\":7","post":4}"#,
            r#"{"a":-1.5e+3,"b":0,"c":null,"d":true,"e":false,"f":{},"post":4}"#,
            r#"{"p\u006fst":4,"\ud83c\udf72":true,"x":false}"#,
        ] {
            assert_eq!(post(json.as_bytes()), Ok(4), "{json}");
        }
        assert_eq!(
            post(br#"{"post":99999999999999999999}"#),
            Ok(u32::MAX),
            "too large for any post"
        );
    }

    #[test]
    fn an_error_says_what_was_expected_and_where() {
        for (json, error) in [
            ("", "expected an object such as {\"post\": 1} at byte 0, which is the end"),
            ("[1]", "expected an object such as {\"post\": 1} at byte 0"),
            (r#"{"post" 1}"#, "expected a colon after the member's name at byte 8"),
            (r#"{post:1}"#, "expected a member's name in double quotes at byte 1"),
            (r#"{"post":1,}"#, "expected a member's name in double quotes at byte 10"),
            (
                r#"{"post":1"#,
                "expected a comma or the object's closing brace at byte 9, which is the end",
            ),
            (r#"{"post":01}"#, "expected a comma or the object's closing brace at byte 9"),
            (r#"{"post":}"#, "expected a value at byte 8"),
            (r#"{"post":1} 2"#, "expected nothing after the object at byte 11"),
            (r#"{"post":1,"post":2}"#, "the member \"post\" stands twice"),
            (r#"{"posts":1}"#, "the object should have a member \"post\", as in {\"post\": 1}"),
            (r#"{"x":"\ud800"}"#, "expected the two halves of a surrogate pair at byte 12"),
            (r#"{"x":"\q"}"#, "expected one of \" \\ / b f n r t u after a backslash at byte 7"),
            (r#"{"x":"\u12"}"#, "expected four hex digits at byte 8"),
            ("{\"x\":\"\n\"}", "expected no control character inside a string at byte 6"),
            (r#"{"x":1.}"#, "expected a digit at byte 7"),
        ] {
            assert_eq!(post(json.as_bytes()), Err(error.to_owned()), "{json}");
        }
        for value in ["1.0", "-1", "1e0", "\"\"", "\"one\"", "\" 1\"", "true", "null", "[1]", "{}"]
        {
            let error = post(format!("{{\"post\":{value}}}").as_bytes()).expect_err(value);
            assert_eq!(error, "the member \"post\" should be a post's number, such as 1 or \"1\"");
        }
        assert_eq!(post(b"{\"\xff"), Err("byte 2 is not UTF-8".to_owned()));
    }

    #[test]
    fn nesting_above_the_limit_is_refused_before_the_stack_overflows() {
        let nested =
            |levels| format!("{{\"post\":1,\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(post(nested(MAX_DEPTH).as_bytes()), Ok(1));
        assert!(post(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(post("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn every_prefix_is_an_error_and_never_a_panic() {
        let whole = r#"{"a":["\u00e9ä\ud83c\udf72",-1.5e3,true,null],"post":4}"#.as_bytes();
        for cut in 0..whole.len() {
            assert!(post(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
