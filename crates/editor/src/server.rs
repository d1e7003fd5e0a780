//! The conversation with the editor.

mod requests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, DidSaveTextDocument, Notification as _,
    PublishDiagnostics, ShowMessage,
};
use lsp_types::{
    CompletionOptions, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, HoverProviderCapability, Location,
    MessageType, NumberOrString, OneOf, PublishDiagnosticsParams, RenameOptions, ServerCapabilities, ShowMessageParams,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use system::study::{Finding, Unsaved};
use system::{Configuration, SessionOptions};

use crate::answers::{Knowledge, Subjects};
use crate::background::{self, Job, News, Task};
use crate::check;
use crate::text::Text;
use crate::uri;

/// Why the conversation ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A message is none of the protocol's.
    #[error("the editor broke the protocol")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// The editor went away.
    #[error("the editor went away without saying so")]
    Gone,
    /// A message of our own cannot be written as JSON.
    #[error("cannot write a message")]
    Message(#[from] serde_json::Error),
}

/// A configuration is evaluated when its texts did not change for so long.
const REST: Duration = Duration::from_millis(300);

/// Serves an editor until it says that it leaves.
///
/// # Errors
/// When the editor goes away without saying so, or says what makes no sense.
pub fn serve(connection: &Connection, options: SessionOptions) -> Result<(), ServeError> {
    connection.initialize(serde_json::to_value(capabilities())?)?;
    let (jobs, asked) = unbounded();
    let (tells, news) = unbounded();
    std::thread::spawn(move || background::work(options, &asked, &tells));
    let mut server = Server {
        connection,
        jobs,
        texts: HashMap::new(),
        known: Knowledge::default(),
        findings: Vec::new(),
        rest: crossbeam_channel::never(),
        configuration: None,
    };
    server.talk(&news)
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec![".".to_owned(), "\"".to_owned()]),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: lsp_types::WorkDoneProgressOptions::default(),
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}

/// An open document.
struct Document {
    uri: Uri,
    version: i32,
    text: Text,
}

struct Server<'c> {
    connection: &'c Connection,
    jobs: Sender<Job>,
    texts: HashMap<PathBuf, Document>,
    known: Knowledge,
    /// What is wrong with the configuration that was studied last.
    findings: Vec<Finding>,
    /// Tells when texts have rested.
    rest: Receiver<std::time::Instant>,
    /// The configuration that is to be studied.
    configuration: Option<Configuration>,
}

impl Server<'_> {
    fn talk(&mut self, news: &Receiver<News>) -> Result<(), ServeError> {
        loop {
            select! {
                recv(self.connection.receiver) -> message => match message.map_err(|_| ServeError::Gone)? {
                    Message::Request(request) => {
                        if self.connection.handle_shutdown(&request)? {
                            return Ok(());
                        }
                        let response = self.answer(request);
                        self.send(Message::Response(response))?;
                    }
                    Message::Notification(told) if told.method == "exit" => return Err(ServeError::Gone),
                    Message::Notification(told) => self.hear(told)?,
                    Message::Response(_) => {}
                },
                recv(news) -> found => match found {
                    Ok(found) => self.learn(found)?,
                    // The thread ends only by a bug; everything but options goes on without it.
                    Err(_) => return Err(ServeError::Gone),
                },
                recv(self.rest) -> _ => self.study(),
            }
        }
    }

    fn send(&self, message: Message) -> Result<(), ServeError> {
        self.connection.sender.send(message).map_err(|_| ServeError::Gone)
    }

    fn notify<N: lsp_types::notification::Notification>(&self, parameters: N::Params) -> Result<(), ServeError>
    where
        N::Params: serde::Serialize,
    {
        self.send(Message::Notification(Notification::new(N::METHOD.to_owned(), parameters)))
    }

    // ---- what the editor tells

    fn hear(&mut self, told: Notification) -> Result<(), ServeError> {
        match told.method.as_str() {
            DidOpenTextDocument::METHOD => {
                let Some(opened) = parameters::<lsp_types::DidOpenTextDocumentParams>(told.params) else {
                    return Ok(());
                };
                let document = opened.text_document;
                self.put(document.uri, document.version, Text::new(document.text))
            }
            DidChangeTextDocument::METHOD => {
                let Some(change) = parameters::<lsp_types::DidChangeTextDocumentParams>(told.params) else {
                    return Ok(());
                };
                let document = change.text_document;
                let Some(known) = uri::path(&document.uri).and_then(|path| self.texts.get(&path)) else {
                    return Ok(());
                };
                let text =
                    change.content_changes.into_iter().fold(known.text.clone(), |text, change| text.changed(change));
                self.put(document.uri, document.version, text)
            }
            DidSaveTextDocument::METHOD => {
                self.study();
                Ok(())
            }
            DidCloseTextDocument::METHOD => {
                let Some(closed) = parameters::<lsp_types::DidCloseTextDocumentParams>(told.params) else {
                    return Ok(());
                };
                let document = closed.text_document;
                uri::path(&document.uri).map(|path| self.texts.remove(&path));
                let nothing = PublishDiagnosticsParams { uri: document.uri, diagnostics: Vec::new(), version: None };
                self.notify::<PublishDiagnostics>(nothing)
            }
            _ => Ok(()),
        }
    }

    /// A text is new or has changed.
    fn put(&mut self, uri: Uri, version: i32, text: Text) -> Result<(), ServeError> {
        // What is no file belongs to no configuration.
        let Some(path) = uri::path(&uri) else { return Ok(()) };
        if let Some(configuration) = configuration_of(&path) {
            self.configuration = Some(configuration);
            self.rest = crossbeam_channel::after(REST);
        }
        self.texts.insert(path.clone(), Document { uri, version, text });
        self.publish(&path)
    }

    // ---- the evaluation

    fn study(&mut self) {
        self.rest = crossbeam_channel::never();
        let Some(configuration) = self.configuration.clone() else { return };
        let unsaved: Unsaved =
            self.texts.iter().map(|(path, document)| (path.clone(), document.text.content.clone())).collect();
        // Without the thread there are no options, and nothing else is lost.
        let _ = self.jobs.send(Job::Study(Task { configuration, unsaved }));
    }

    fn learn(&mut self, news: News) -> Result<(), ServeError> {
        match news {
            News::Studied { options, findings, configuration } => {
                tracing::info!(configuration = %configuration.display(), options = options.len(), "studied");
                self.known.options = options;
                self.findings = findings;
                let paths: Vec<PathBuf> = self.texts.keys().cloned().collect();
                paths.iter().try_for_each(|path| self.publish(path))
            }
            News::Packages(packages) => {
                self.known.packages = packages;
                Ok(())
            }
            News::Failed(message) => self.notify::<ShowMessage>(ShowMessageParams { typ: MessageType::ERROR, message }),
        }
    }

    // ---- diagnostics

    fn publish(&self, path: &Path) -> Result<(), ServeError> {
        let Some(document) = self.texts.get(path) else { return Ok(()) };
        let text = &document.text;
        let mistake = if is_toml(path) { check::toml(&text.content) } else { check::nix(&text.content) };
        let mut diagnostics = Vec::new();
        let own = mistake.as_ref().map(|mistake| (mistake.code, text.position(mistake.range.start).line));
        if let Some(mistake) = mistake {
            diagnostics.push(diagnostic(
                text.range(mistake.range),
                DiagnosticSeverity::ERROR,
                mistake.code,
                mistake.message,
            ));
        }
        for finding in &self.findings {
            let Some(shown) = self.shown(finding, path, text) else { continue };
            if own != Some((finding.code, shown.range.start.line)) {
                diagnostics.push(shown);
            }
        }
        let version = Some(document.version);
        self.notify::<PublishDiagnostics>(PublishDiagnosticsParams { uri: document.uri.clone(), diagnostics, version })
    }

    /// A finding at its first place in a file, with its other places.
    fn shown(&self, finding: &Finding, path: &Path, text: &Text) -> Option<Diagnostic> {
        let place = finding.places.iter().find(|place| place.file == path)?;
        let severity = match finding.severity {
            system::study::Severity::Error => DiagnosticSeverity::ERROR,
            system::study::Severity::Warning => DiagnosticSeverity::WARNING,
        };
        let mut shown = diagnostic(text.range(place.range.clone()), severity, finding.code, finding.message.clone());
        let others = finding.places.iter().filter(|other| *other != place);
        let related = others.filter_map(|other| {
            let elsewhere;
            let text = match self.texts.get(&other.file) {
                Some(document) => &document.text,
                None => {
                    elsewhere = Text::new(std::fs::read_to_string(&other.file).ok()?);
                    &elsewhere
                }
            };
            let location = Location { uri: uri::of(&other.file)?, range: text.range(other.range.clone()) };
            Some(DiagnosticRelatedInformation { location, message: other.text.clone() })
        });
        shown.related_information = Some(related.collect());
        Some(shown)
    }
}

fn diagnostic(range: lsp_types::Range, severity: DiagnosticSeverity, code: &str, message: String) -> Diagnostic {
    Diagnostic {
        range,
        severity: Some(severity),
        code: Some(NumberOrString::String(code.to_owned())),
        source: Some("esker".to_owned()),
        message,
        ..Diagnostic::default()
    }
}

/// Parameters of a message; those that make no sense are left alone, as the protocol wants it of notifications.
fn parameters<P: DeserializeOwned>(value: Value) -> Option<P> {
    serde_json::from_value(value).map_err(|error| tracing::warn!(%error, "a message that makes no sense")).ok()
}

/// The configuration that a file belongs to: that of its folder or of the nearest folder above.
fn configuration_of(path: &Path) -> Option<Configuration> {
    path.ancestors().skip(1).find_map(|folder| Configuration::find(Some(folder)).ok())
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml")
}
