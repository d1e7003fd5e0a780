//! What the host and the guest agent say to each other: one JSON object a line, over a virtio serial port. Bytes are
//! base64. Requests may be answered out of order; `id` tells which.

use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// A request to the agent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// Repeated in the answer.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
}

/// What the agent does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Answer, to show that it is there.
    Ping {},
    /// Run a program and wait for its end.
    Run {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its standard input.
        #[serde(default)]
        input: Bytes,
    },
    /// Write a file.
    Write {
        /// Where.
        path: String,
        /// Its mode.
        mode: u32,
        /// Its content.
        content: Bytes,
    },
    /// Read a file.
    Read {
        /// Which.
        path: String,
    },
}

/// The agent's answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Response {
    /// The request's.
    pub id: u64,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, with nothing to tell.
    Done {},
    /// A program ended.
    Ended {
        /// Its exit status; for a signal, its negative number.
        status: i32,
        /// What it printed.
        output: Bytes,
        /// What it printed to its standard error.
        errors: Bytes,
    },
    /// A file's content.
    Content {
        /// The bytes.
        content: Bytes,
    },
    /// It could not be done.
    Failed {
        /// Why.
        message: String,
    },
}

/// Bytes, base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json() {
        let request =
            Request { id: 7, action: Action::Run { command: vec!["true".into()], input: Bytes(vec![0, 10]) } };
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(line, r#"{"id":7,"run":{"command":["true"],"input":"AAo="}}"#);
        let back: Request = serde_json::from_str(&line).unwrap();
        assert!(matches!(back.action, Action::Run { input, .. } if input.0 == [0, 10]));
    }
}
