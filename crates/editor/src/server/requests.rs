//! Requests of the editor and their answers.

use std::time::Duration;

use lsp_types::request::{
    Completion, Formatting, GotoDefinition, HoverRequest, PrepareRenameRequest, Rename, Request as _,
};
use lsp_types::{
    CompletionResponse, GotoDefinitionResponse, Hover, HoverContents, PrepareRenameResponse, TextDocumentIdentifier,
    TextDocumentPositionParams, TextEdit, WorkspaceEdit,
};
use syntax::concrete::Tree;

use super::{
    DeserializeOwned, Document, ErrorCode, HashMap, Job, Location, Request, Response, Server, Subjects, Value, is_toml,
    uri,
};
use crate::answers::markdown;
use crate::options;
use crate::rename::rename;
use crate::scopes::Names;

/// How long an answer waits for a value; an evaluation that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_millis(60);

/// Why a request has no answer.
struct Refusal {
    code: ErrorCode,
    message: String,
}

type Answer = Result<Value, Refusal>;

impl Server<'_> {
    pub(super) fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let answer = match method.as_str() {
            Completion::METHOD => {
                with(params, |p: lsp_types::CompletionParams| self.complete(&p.text_document_position))
            }
            HoverRequest::METHOD => {
                with(params, |p: lsp_types::HoverParams| self.hover(&p.text_document_position_params))
            }
            GotoDefinition::METHOD => {
                with(params, |p: lsp_types::GotoDefinitionParams| self.define(&p.text_document_position_params))
            }
            PrepareRenameRequest::METHOD => with(params, |p: TextDocumentPositionParams| self.prepare_rename(&p)),
            Rename::METHOD => with(params, |p: lsp_types::RenameParams| self.rename(&p)),
            Formatting::METHOD => with(params, |p: lsp_types::DocumentFormattingParams| self.format(&p.text_document)),
            other => Err(Refusal { code: ErrorCode::MethodNotFound, message: format!("no method `{other}`") }),
        };
        match answer {
            Ok(value) => Response { id, result: Some(value), error: None },
            Err(refusal) => Response::new_err(id, refusal.code as i32, refusal.message),
        }
    }

    fn document(&self, identifier: &TextDocumentIdentifier) -> Result<(&Document, Subjects<'_>), Refusal> {
        let path = uri::path(&identifier.uri);
        let found = path.and_then(|path| Some((self.texts.get(&path)?, is_toml(&path))));
        let (document, is_toml) = found.ok_or_else(|| Refusal {
            code: ErrorCode::InvalidParams,
            message: format!("`{}` is not open", identifier.uri.as_str()),
        })?;
        Ok((document, Subjects { text: &document.text, is_toml, known: &self.known }))
    }

    fn complete(&self, at: &TextDocumentPositionParams) -> Answer {
        let (document, subjects) = self.document(&at.text_document)?;
        let items = subjects.completions(document.text.offset(at.position));
        json(&CompletionResponse::Array(items))
    }

    fn hover(&self, at: &TextDocumentPositionParams) -> Answer {
        let (document, subjects) = self.document(&at.text_document)?;
        let offset = document.text.offset(at.position);
        if let Some((package, word)) = subjects.package_at(offset) {
            let contents = markdown(format!("**{}**\n\n{}", package.name, package.description));
            let range = Some(document.text.range(word));
            return json(&Hover { contents: HoverContents::Markup(contents), range });
        }
        let Some((path, word)) = subjects.option_at(offset) else { return Ok(Value::Null) };
        let Some(doc) = options::find(&self.known.options, &path) else { return Ok(Value::Null) };
        let contents = markdown(options::description(doc, self.value(path).as_deref()));
        json(&Hover { contents: HoverContents::Markup(contents), range: Some(document.text.range(word)) })
    }

    /// The value of an option, if the evaluation has it at hand.
    fn value(&self, path: Vec<String>) -> Option<String> {
        let (reply, value) = crossbeam_channel::bounded(1);
        self.jobs.send(Job::Value { path, reply }).ok()?;
        value.recv_timeout(PATIENCE).ok().flatten()
    }

    fn define(&self, at: &TextDocumentPositionParams) -> Answer {
        let (document, subjects) = self.document(&at.text_document)?;
        let offset = document.text.offset(at.position);
        if !subjects.is_toml {
            let names = Names::of(&Tree::of(&document.text.content));
            if let Some(local) = names.at(offset) {
                let binding = local.places.iter().filter(|place| place.binds);
                let locations = binding.map(|place| Location {
                    uri: document.uri.clone(),
                    range: document.text.range(place.range.clone()),
                });
                return json(&GotoDefinitionResponse::Array(locations.collect()));
            }
        }
        json(&GotoDefinitionResponse::Array(subjects.declarations(offset)))
    }

    fn prepare_rename(&self, at: &TextDocumentPositionParams) -> Answer {
        let (document, subjects) = self.document(&at.text_document)?;
        if subjects.is_toml {
            return Ok(Value::Null);
        }
        let offset = document.text.offset(at.position);
        let names = Names::of(&Tree::of(&document.text.content));
        let place = names.at(offset).and_then(|local| {
            local.places.iter().find(|place| place.range.start <= offset && offset <= place.range.end)
        });
        match place {
            Some(place) => json(&PrepareRenameResponse::Range(document.text.range(place.range.clone()))),
            None => Ok(Value::Null),
        }
    }

    // The type of the protocol has URIs for keys.
    #[allow(clippy::mutable_key_type, reason = "a URI never changes")]
    fn rename(&self, parameters: &lsp_types::RenameParams) -> Answer {
        let at = &parameters.text_document_position;
        let (document, _) = self.document(&at.text_document)?;
        let tree = Tree::of(&document.text.content);
        let edits = rename(&tree, document.text.offset(at.position), &parameters.new_name)
            .map_err(|error| Refusal { code: ErrorCode::RequestFailed, message: error.to_string() })?;
        let edits =
            edits.into_iter().map(|edit| TextEdit { range: document.text.range(edit.range), new_text: edit.text });
        let changes = HashMap::from([(document.uri.clone(), edits.collect())]);
        json(&WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
    }

    fn format(&self, identifier: &TextDocumentIdentifier) -> Answer {
        let (document, subjects) = self.document(identifier)?;
        if subjects.is_toml {
            return Ok(Value::Null);
        }
        let content = &document.text.content;
        let new_text = formatter::format(content)
            .map_err(|error| Refusal { code: ErrorCode::RequestFailed, message: error.to_string() })?;
        if new_text == *content {
            return json(&Vec::<TextEdit>::new());
        }
        json(&vec![TextEdit { range: document.text.range(0..content.len()), new_text }])
    }
}

/// Answers with parameters of their type.
fn with<P: DeserializeOwned>(value: Value, act: impl FnOnce(P) -> Answer) -> Answer {
    let wrong = |error: serde_json::Error| Refusal { code: ErrorCode::InvalidParams, message: error.to_string() };
    act(serde_json::from_value(value).map_err(wrong)?)
}

fn json(value: &impl serde::Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| Refusal { code: ErrorCode::InternalError, message: error.to_string() })
}
