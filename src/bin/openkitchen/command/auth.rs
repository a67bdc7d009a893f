//! The user and the password that `serve` asks for (Basic, RFC 7617).

use std::env;

use openkitchen::message::credentials::{Key, basic_credentials};
use openkitchen::message::fields::FieldLines;
use openkitchen::{Response, Status};

use super::CliError;

/// The variable that has both.
const VARIABLE: &str = "OPENKITCHEN_AUTH";

/// A user and a password.
pub struct Auth {
    /// The name of the user.
    pub user: String,
    /// `user:password`.
    pair: Key,
}

impl Auth {
    /// User and password, from the environment alone: other users can read a command line. `None` if the
    /// variable is unset.
    ///
    /// # Errors
    /// A sentence: clients cannot send them.
    pub fn from_environment() -> Result<Option<Auth>, CliError> {
        let wrong = |why: &str| CliError::Usage(format!("{VARIABLE} is unusable: {why}"));
        let Some(value) = env::var_os(VARIABLE) else { return Ok(None) };
        let value = value.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
        match value.split_once(':') {
            // An empty value may be a secret that is missing. It must not open the server to all.
            None => Err(wrong("it must be user:password; unset it to ask for none")),
            Some((_, "")) => Err(wrong("the password is empty")),
            Some((user, _)) => {
                let pair = Key::new(value).map_err(|why| wrong(&why))?;
                Ok(Some(Auth { user: user.to_owned(), pair }))
            }
        }
    }

    /// Whether a request with these fields has both. A second field with that name may be for another
    /// server.
    pub fn is_sent(&self, fields: FieldLines<'_>) -> bool {
        let value = fields.only("authorization").and_then(|value| std::str::from_utf8(value).ok());
        value.and_then(basic_credentials).is_some_and(|pair| self.pair.matches(&pair))
    }
}

/// The response to a request without them.
pub fn unauthorized() -> Response {
    Response::text("this server asks for a user name and a password")
        .status(Status::UNAUTHORIZED)
        .field("WWW-Authenticate", "Basic realm=\"files\", charset=\"UTF-8\"")
}
