//! The body of an answer, which outlives its connection.

use diagnostics::one_line;
use std::io::{self, Read};

use ureq::http::Response;
use ureq::{BodyReader, http};

use crate::{Client, HttpError, PAUSES};

/// The bytes of a file. When the connection breaks, the rest is asked for with a range request; from a server that knows no
/// ranges the file is read again up to the place.
pub struct Body {
    client: Client,
    url: String,
    reader: BodyReader<'static>,
    /// Where the body began in the file.
    offset: u64,
    /// Where it is now.
    position: u64,
    /// Where the file ends, if the server said so.
    end: Option<u64>,
    /// What names this version of the file, to notice that it is replaced meanwhile.
    validator: Option<String>,
    /// Failures since a byte last came.
    failures: usize,
}

impl Body {
    pub(crate) fn new(client: Client, url: &str, asked: u64, response: Response<ureq::Body>) -> Self {
        let offset = if response.status().as_u16() == 206 { asked } else { 0 };
        let end = length(&response).map(|length| offset + length);
        let validator = validator(&response);
        let reader = response.into_body().into_reader();
        Self { client, url: url.to_owned(), reader, offset, position: offset, end, validator, failures: 0 }
    }

    /// Where in the file the first byte of this body is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How long the file is, if the server said so.
    pub fn file_bytes(&self) -> Option<u64> {
        self.end
    }

    /// Waits and takes the file up again. Errors with the last failure when there were too many in a row.
    fn recover(&mut self, mut error: io::Error) -> io::Result<()> {
        while let Some(pause) = PAUSES.get(self.failures) {
            self.failures += 1;
            tracing::info!(url = self.url, position = self.position, %error, "a download broke off; it goes on");
            std::thread::sleep(*pause);
            error = match self.resume() {
                Ok(()) => return Ok(()),
                Err(lasting) if matches!(lasting.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                    return Err(lasting);
                }
                Err(passing) => passing,
            };
        }
        Err(error)
    }

    /// Takes up the file where it broke off. Errors when it is no longer the same file, or the server does not answer.
    fn resume(&mut self) -> Result<(), io::Error> {
        let failed = |error: HttpError| io::Error::other(one_line(&error));
        let response = self.client.request(&self.url, self.position, self.validator.as_deref()).map_err(failed)?;
        let Some(response) = response else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{}` is no longer there", self.url)));
        };
        if self.validator.is_some() && validator(&response) != self.validator {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{}` was replaced meanwhile", self.url)));
        }
        let partial = response.status().as_u16() == 206;
        self.reader = response.into_body().into_reader();
        if !partial {
            let passed = io::copy(&mut (&mut self.reader).take(self.position), &mut io::sink())?;
            if passed < self.position {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// How many bytes the body has, by its header.
fn length(response: &Response<ureq::Body>) -> Option<u64> {
    response.headers().get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A strong entity tag; weak ones and times may stand for several contents (RFC 9110 section 13.1.5).
fn validator(response: &Response<ureq::Body>) -> Option<String> {
    let tag = response.headers().get(http::header::ETAG)?.to_str().ok()?;
    (!tag.starts_with("W/")).then(|| tag.to_owned())
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let error = match self.reader.read(buffer) {
                Ok(0) if self.end.is_none_or(|end| self.position >= end) => return Ok(0),
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(count) => {
                    self.position += count as u64;
                    self.failures = 0;
                    return Ok(count);
                }
                Err(error) => error,
            };
            self.recover(error)?;
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Body").field("url", &self.url).field("position", &self.position).finish_non_exhaustive()
    }
}
