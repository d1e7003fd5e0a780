//! Where a binary cache's files come from: a folder or a web server.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use nix_formats::HashPart;

use super::CacheError;

/// A binary cache, as a place with files.
pub trait BinaryCache: Send + Sync {
    /// Its address, for people.
    fn url(&self) -> &str;

    /// The narinfo of the path with this hash part; `None` when the cache does not have it.
    ///
    /// Errors when the cache cannot be asked.
    fn narinfo(&self, hash_part: &HashPart) -> Result<Option<String>, CacheError>;

    /// A NAR file by the URL in its narinfo.
    ///
    /// Errors when it cannot be opened.
    fn nar(&self, url: &str) -> Result<Box<dyn Read + Send>, CacheError>;
}

fn read_error(cache: &str, file: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CacheError {
    CacheError::Read { cache: cache.to_owned(), file: file.to_owned(), source: source.into() }
}

/// A cache in a folder (`file://…`).
#[derive(Clone, Debug)]
pub struct FileCache {
    folder: PathBuf,
    url: String,
}

impl FileCache {
    /// The cache in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let url = format!("file://{}", folder.display());
        Self { folder, url }
    }
}

impl BinaryCache for FileCache {
    fn url(&self) -> &str {
        &self.url
    }

    fn narinfo(&self, hash_part: &HashPart) -> Result<Option<String>, CacheError> {
        let name = format!("{hash_part}.narinfo");
        match std::fs::read_to_string(self.folder.join(&name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(read_error(&self.url, &name, error)),
        }
    }

    fn nar(&self, url: &str) -> Result<Box<dyn Read + Send>, CacheError> {
        let file = File::open(self.folder.join(url)).map_err(|error| read_error(&self.url, url, error))?;
        Ok(Box::new(file))
    }
}

/// A cache on a web server.
#[derive(Clone, Debug)]
pub struct HttpCache {
    url: String,
    client: http_client::Client,
}

impl HttpCache {
    /// The cache at this address.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), client: http_client::Client::new() }
    }

    fn get(&self, file: &str) -> Result<Option<http_client::Body>, CacheError> {
        self.client.get(&format!("{}/{file}", self.url)).map_err(|error| read_error(&self.url, file, error))
    }
}

impl BinaryCache for HttpCache {
    fn url(&self) -> &str {
        &self.url
    }

    fn narinfo(&self, hash_part: &HashPart) -> Result<Option<String>, CacheError> {
        let name = format!("{hash_part}.narinfo");
        let Some(mut body) = self.get(&name)? else {
            return Ok(None);
        };
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|error| read_error(&self.url, &name, error))?;
        Ok(Some(text))
    }

    fn nar(&self, url: &str) -> Result<Box<dyn Read + Send>, CacheError> {
        let body = self.get(url)?.ok_or_else(|| read_error(&self.url, url, "the server does not have the file"))?;
        Ok(Box::new(body))
    }
}
