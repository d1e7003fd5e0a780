//! What a server answers, and how it goes over the wire.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::Request;

/// How long a silent server waits for its client to give up.
const PATIENCE: Duration = Duration::from_secs(600);

/// An answer.
#[derive(Debug)]
pub struct Response {
    status: u16,
    body: Body,
    tag: Option<String>,
    ranges: Ranges,
    ending: Ending,
}

#[derive(Debug)]
enum Body {
    Bytes(Cursor<Vec<u8>>),
    File(File),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ranges {
    Honoured,
    Ignored,
}

/// What becomes of the connection; counts are of the bytes of this answer's body.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Whole,
    CutAfter(u64),
    SilentAfter(u64),
}

impl Response {
    /// A file with this content.
    pub fn bytes(content: impl Into<Vec<u8>>) -> Self {
        Self::new(200, Body::Bytes(Cursor::new(content.into())))
    }

    /// A file of this host; 404 when it cannot be opened.
    pub fn file(path: &Path) -> Self {
        match File::open(path) {
            Ok(file) => Self::new(200, Body::File(file)),
            Err(_) => Self::status(404),
        }
    }

    /// The file that a request's path names below a folder; 404 for what leads out of it.
    pub fn file_below(folder: &Path, path: &str) -> Self {
        let leads_out = path.split('/').any(|part| part == "..");
        if leads_out { Self::status(404) } else { Self::file(&folder.join(path)) }
    }

    /// This status and nothing else.
    pub fn status(status: u16) -> Self {
        Self::new(status, Body::Bytes(Cursor::default()))
    }

    fn new(status: u16, body: Body) -> Self {
        Self { status, body, tag: None, ranges: Ranges::Honoured, ending: Ending::Whole }
    }

    /// Names the file's version (`ETag`).
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Sends everything whatever part was asked for.
    pub fn without_ranges(mut self) -> Self {
        self.ranges = Ranges::Ignored;
        self
    }

    /// Promises everything and closes the connection after so many bytes.
    pub fn cut_after(mut self, bytes: u64) -> Self {
        self.ending = Ending::CutAfter(bytes);
        self
    }

    /// Sends so many bytes and nothing more, and keeps the connection.
    pub fn silent_after(mut self, bytes: u64) -> Self {
        self.ending = Ending::SilentAfter(bytes);
        self
    }

    pub(crate) fn send(mut self, request: &Request, mut stream: TcpStream) -> io::Result<()> {
        let total = self.body.seek(SeekFrom::End(0))?;
        let (status, from) = match request.from {
            Some(from) if self.status == 200 && self.ranges == Ranges::Honoured => {
                if from < total {
                    (206, from)
                } else {
                    (416, total)
                }
            }
            _ => (self.status, 0),
        };
        self.body.seek(SeekFrom::Start(from))?;
        let tag = self.tag.as_ref().map_or(String::new(), |tag| format!("ETag: \"{tag}\"\r\n"));
        let length = total - from;
        write!(stream, "HTTP/1.1 {status} Status\r\n{tag}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        let limit = match self.ending {
            Ending::Whole => length,
            Ending::CutAfter(bytes) | Ending::SilentAfter(bytes) => bytes,
        };
        io::copy(&mut self.body.take(limit), &mut stream)?;
        if matches!(self.ending, Ending::SilentAfter(_)) {
            stream.set_read_timeout(Some(PATIENCE))?;
            io::copy(&mut Read::by_ref(&mut stream).take(1), &mut io::sink())?;
        }
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

impl Seek for Body {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => bytes.seek(position),
            Self::File(file) => file.seek(position),
        }
    }
}
