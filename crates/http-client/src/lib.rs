//! Files over HTTP and HTTPS, from servers that may be slow, far away or gone for a moment.
//!
//! A request that fails for a reason that may pass is made again; a body whose connection breaks goes on where it broke.
//! Proxies come from the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`), certificates from the host's
//! bundle. What the bytes are, and whether they are the right ones, is the caller's affair: nothing is checked or written here.
//!
//! Source: RFC 9110 sections 13 (conditional requests) and 14 (range requests).

mod body;

use diagnostics::one_line;
use std::time::Duration;

use thiserror::Error;
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

pub use body::Body;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(20);
/// How long the server may think, or say nothing in the middle of a file.
const SILENCE: Duration = Duration::from_secs(60);
/// Pauses between attempts. After the last one the failure is the caller's.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Where distributions keep the certificates that the host trusts, all in one file.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Why a file could not be had.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The server could not be reached, or what it said is no HTTP.
    #[error("cannot reach `{url}`")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server refused.
    #[error("`{url}` was answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP's number for it.
        status: u16,
    },
    /// The part that was asked for begins behind the end of the file.
    #[error("`{url}` has no bytes after the first {offset}")]
    Range {
        /// The address.
        url: String,
        /// Where the part was to begin.
        offset: u64,
    },
}

impl HttpError {
    /// Whether the same request may well succeed a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !matches!(
                **source,
                ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) | ureq::Error::Tls(_)
            ),
            // Too early, too many requests, and what gateways say of servers that start.
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Range { .. } => false,
        }
    }
}

/// A client with its kept-alive connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client with the host's proxies and certificates.
    pub fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            // "Not found" is an answer, not a failure.
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(certificates()).build())
            .build();
        Self { agent: config.new_agent() }
    }

    /// A file; `None` when the server does not have it.
    ///
    /// Errors when the server cannot be reached or refuses, again and again.
    pub fn get(&self, url: &str) -> Result<Option<Body>, HttpError> {
        self.get_from(url, 0)
    }

    /// A file without its first bytes; `None` when the server does not have it. [`Body::offset`] says where the body really
    /// begins: at zero when the server knows no ranges.
    ///
    /// Errors as [`Self::get`], and when the file has no such part.
    pub fn get_from(&self, url: &str, offset: u64) -> Result<Option<Body>, HttpError> {
        let mut pauses = PAUSES.iter();
        loop {
            match self.request(url, offset, None) {
                Ok(response) => return Ok(response.map(|response| Body::new(self.clone(), url, offset, response))),
                Err(error) => match pauses.next().filter(|_| error.may_pass()) {
                    Some(pause) => self.wait(*pause, &error),
                    None => return Err(error),
                },
            }
        }
    }

    fn wait(&self, pause: Duration, error: &HttpError) {
        tracing::info!(error = %one_line(error), "trying again");
        std::thread::sleep(pause);
    }

    /// One request. `validator` is what the file's first part came with: where it is another file now, all of it comes.
    fn request(
        &self,
        url: &str,
        offset: u64,
        validator: Option<&str>,
    ) -> Result<Option<Response<ureq::Body>>, HttpError> {
        let mut request = self.agent.get(url);
        if offset > 0 {
            request = request.header("Range", format!("bytes={offset}-"));
        }
        if let Some(validator) = validator {
            request = request.header("If-Range", validator);
        }
        let response = request
            .call()
            .map_err(|source| HttpError::Unreachable { url: url.to_owned(), source: Box::new(source) })?;
        match response.status().as_u16() {
            200 | 206 => Ok(Some(response)),
            // Some servers of caches say "forbidden" for what they do not have.
            403 | 404 | 410 => Ok(None),
            416 => Err(HttpError::Range { url: url.to_owned(), offset }),
            status => Err(HttpError::Status { url: url.to_owned(), status }),
        }
    }
}

/// The host's certificates, so that an authority of one's own counts; Mozilla's where the host has none.
fn certificates() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let candidates = named.into_iter().chain(BUNDLES.iter().map(std::path::PathBuf::from));
    for path in candidates.filter(|path| path.is_file()) {
        let found = fs_err::read(&path).map(|pem| parse_certificates(&pem));
        match found {
            Ok(certificates) if !certificates.is_empty() => return RootCerts::new_with_certs(&certificates),
            Ok(_) => tracing::warn!(path = %path.display(), "there is no certificate in this file"),
            Err(error) => tracing::warn!(%error, "certificates cannot be read"),
        }
    }
    RootCerts::WebPki
}

fn parse_certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items
        .filter_map(|item| if let PemItem::Certificate(certificate) = item { Some(certificate) } else { None })
        .collect()
}

#[cfg(test)]
mod tests;
