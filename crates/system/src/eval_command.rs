//! What `esker eval` evaluates and how it prints it.

use std::path::PathBuf;
use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings, Value};

use crate::evaluation::{attribute_path, evaluate, report, select_path};
use crate::world::StoreIo;
use crate::{Configuration, Session, Subject, SystemError};

/// What is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalSubject {
    /// An expression.
    Text(String),
    /// A file with one; `-` is standard input.
    File(PathBuf),
    /// A configuration, with its module system's `config` and `options`.
    Configuration {
        /// The configuration.
        configuration: Configuration,
        /// The target.
        system: String,
    },
}

/// How the value is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As an expression, as far as it had to be evaluated.
    Lazy,
    /// As an expression, evaluated throughout.
    Strict,
    /// As JSON.
    Json,
    /// A string's own bytes.
    Raw,
}

/// A printed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text.
    pub text: String,
    /// Warnings and traces.
    pub messages: Vec<String>,
}

impl Session {
    /// Evaluates a subject, selects an attribute and prints it.
    ///
    /// Errors when it cannot be read or evaluated.
    pub fn eval(&self, subject: &EvalSubject, attribute: &str, form: Form) -> Result<Printed, SystemError> {
        let path = attribute_path(attribute);
        match subject {
            EvalSubject::Configuration { configuration, system } => {
                self.ensure_lock(configuration)?;
                let subject = Subject::System { configuration: configuration.clone(), system: system.clone() };
                let (text, io) = evaluate(self, &subject, |eval, value| {
                    let value = select_path(eval, value, &path)?;
                    show(eval, value, form)
                })?;
                Ok(Printed { text, messages: io.take_messages() })
            }
            EvalSubject::Text(text) => self.eval_text(text, "«string»", &path, form),
            EvalSubject::File(file) if file.as_os_str() == "-" => {
                let text = std::io::read_to_string(std::io::stdin())
                    .map_err(|source| SystemError::Read { path: file.clone(), source })?;
                self.eval_text(&text, "«stdin»", &path, form)
            }
            EvalSubject::File(file) => {
                let file =
                    fs_err::canonicalize(file).map_err(|source| SystemError::Read { path: file.clone(), source })?;
                self.eval_text(
                    &format!("import (/. + {})", crate::evaluation::quoted(&file.display().to_string())),
                    "«esker»",
                    &path,
                    form,
                )
            }
        }
    }

    fn eval_text(&self, text: &str, name: &str, path: &[String], form: Form) -> Result<Printed, SystemError> {
        let io = Rc::new(StoreIo::new(self.store().clone()));
        let bump = Bump::new();
        let world: Rc<dyn lang::io::EvalIo> = io.clone();
        let eval = Eval::new(&bump, world, Settings { pure: false, ..Settings::default() });
        module::install(&eval);
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let value = eval.eval_string(text, name, &folder.display().to_string());
        let text = value.and_then(|value| {
            let value = if path.is_empty() { value } else { select_path(&eval, value, path)? };
            show(&eval, value, form)
        });
        let text = text.map_err(|error| report(self, &eval, &error))?;
        io.commit()?;
        Ok(Printed { text, messages: io.take_messages() })
    }
}

fn show<'a>(eval: &Eval<'a>, value: Value<'a>, form: Form) -> Result<String, lang::Error> {
    match form {
        Form::Lazy => Ok(eval.show(value)),
        Form::Strict => Ok(eval.show(eval.force_deep(value)?)),
        Form::Raw => Ok(eval.force_str(value)?.to_string_lossy().into_owned()),
        Form::Json => {
            let to_json = eval.eval_string("builtins.toJSON", "«esker»", "/")?;
            let json = eval.call(to_json, &[value])?;
            Ok(eval.force_str(json)?.to_string_lossy().into_owned())
        }
    }
}
