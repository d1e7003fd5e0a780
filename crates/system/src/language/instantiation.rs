//! What `nix-instantiate` does: evaluates, parses, finds files or makes derivations of expressions, and prints as it.

use std::io::Write;
use std::path::{Path, PathBuf};

use lang::{Attrs, Coerce, Value, XmlStyle};

use super::{Argument, Evaluation, Language, LanguageError};
use crate::SystemError;

/// Where the expressions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From the command line.
    Expressions(Vec<String>),
    /// From files; a folder means its `default.nix`, a name in brackets the search path.
    Files(Vec<String>),
    /// From standard input.
    Stdin,
}

/// How a value is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printing {
    /// As an expression.
    Expression,
    /// A text's own bytes.
    Raw,
    /// As JSON.
    Json,
    /// As XML, perhaps with places.
    Xml {
        /// Whether files, lines and columns are printed.
        places: bool,
    },
}

/// What is done with the expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prints how they are understood.
    Parse,
    /// Takes them for names in the search path.
    FindFile,
    /// Prints their values.
    Evaluate {
        /// Evaluates everything in them.
        strict: bool,
        /// How.
        printing: Printing,
    },
    /// Writes the derivations in them to the store and prints their paths.
    Instantiate {
        /// Where links that keep them from the garbage collector go.
        root: Option<PathBuf>,
    },
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instantiation {
    /// The expressions.
    pub input: Input,
    /// Attributes to select; the whole for none.
    pub attributes: Vec<String>,
    /// Arguments for functions.
    pub arguments: Vec<(String, Argument)>,
    /// What to do.
    pub action: Action,
    /// Whether derivations and sources are written though only values are wanted.
    pub read_write: bool,
}

/// A text and its name.
struct Text {
    text: String,
    name: &'static str,
}

impl Language {
    /// Does what an instantiation asks for; what it prints goes to `out`.
    ///
    /// Errors at the first expression that is wrong; what came before it is printed by then.
    pub fn instantiate(&self, wanted: &Instantiation, out: &mut dyn Write) -> Result<(), SystemError> {
        let texts: Vec<Text> = match &wanted.input {
            Input::Expressions(texts) => {
                texts.iter().map(|text| Text { text: text.clone(), name: "«string»" }).collect()
            }
            Input::Stdin => {
                let text = std::io::read_to_string(std::io::stdin())
                    .map_err(|source| SystemError::Read { path: "-".into(), source })?;
                vec![Text { text, name: "«stdin»" }]
            }
            Input::Files(_) => Vec::new(),
        };
        self.evaluate(|evaluation| {
            let run = Run { evaluation, wanted, arguments: evaluation.arguments(&wanted.arguments)?, roots: 0.into() };
            if let Input::Files(files) = &wanted.input {
                for file in files {
                    run.file(file, out)?;
                }
            }
            for text in &texts {
                run.text(text, out)?;
            }
            Ok(())
        })
    }
}

struct Run<'r, 'e, 'a> {
    evaluation: &'r Evaluation<'e, 'a>,
    wanted: &'r Instantiation,
    arguments: &'a Attrs<'a>,
    /// Links made so far.
    roots: std::cell::Cell<usize>,
}

impl<'a> Run<'_, '_, 'a> {
    fn file(&self, file: &str, out: &mut dyn Write) -> Result<(), LanguageError> {
        let eval = self.evaluation.eval;
        if self.wanted.action == Action::FindFile {
            let found = self.evaluation.find_file(file)?;
            return print(out, format!("{found}\n").as_bytes());
        }
        let path = self.evaluation.file(file)?;
        if !Path::new(&path).exists() && !path.starts_with("/nix/store/") {
            return Err(lang::Error::eval(format!("path '{path}' does not exist")).into());
        }
        if self.wanted.action == Action::Parse {
            let path = if Path::new(&path).is_dir() { format!("{path}/default.nix") } else { path };
            let text = eval.io().read_file(&path).map_err(|e| lang::Error::eval(e.to_string()))?;
            let folder = Path::new(&path).parent().map_or_else(|| "/".to_owned(), |f| f.display().to_string());
            let mut parsed = eval.show_parsed(&text, &path, true, &folder)?;
            parsed.push(b'\n');
            return print(out, &parsed);
        }
        let value = eval.eval_file(&path)?;
        self.value(value, out)
    }

    fn text(&self, text: &Text, out: &mut dyn Write) -> Result<(), LanguageError> {
        let eval = self.evaluation.eval;
        let folder = Evaluation::folder();
        match self.wanted.action {
            Action::Parse => {
                let mut parsed = eval.show_parsed(text.text.as_bytes(), text.name, false, &folder)?;
                parsed.push(b'\n');
                print(out, &parsed)
            }
            Action::FindFile => self.file(&text.text, out),
            _ => self.value(eval.eval_string(&text.text, text.name, &folder)?, out),
        }
    }

    fn value(&self, root: Value<'a>, out: &mut dyn Write) -> Result<(), LanguageError> {
        let whole = [String::new()];
        let attributes = if self.wanted.attributes.is_empty() { &whole[..] } else { &self.wanted.attributes };
        for attribute in attributes {
            let value = self.evaluation.eval.along_attr_path(root, attribute, self.arguments)?;
            match &self.wanted.action {
                Action::Evaluate { strict, printing } => {
                    let value = match self.arguments.is_empty() {
                        true => value,
                        false => self.evaluation.eval.auto_call(value, self.arguments)?,
                    };
                    self.print(value, *strict, *printing, out)?;
                }
                Action::Instantiate { root } => self.derivations(value, root.as_deref(), out)?,
                Action::Parse | Action::FindFile => {}
            }
        }
        if self.wanted.read_write {
            self.evaluation.write()?;
        }
        Ok(())
    }

    fn print(
        &self,
        value: Value<'a>,
        strict: bool,
        printing: Printing,
        out: &mut dyn Write,
    ) -> Result<(), LanguageError> {
        let eval = self.evaluation.eval;
        let mut text = match printing {
            Printing::Raw => {
                let text = eval.coerce(value, Coerce::INTERPOLATION)?;
                return print(out, text.as_bytes());
            }
            Printing::Xml { places } => return print(out, &eval.xml(value, XmlStyle { strict, places })?),
            Printing::Json => eval.json(value, strict)?,
            Printing::Expression if strict => eval.show_bytes(eval.force_deep(value)?),
            Printing::Expression => eval.show_bytes(value),
        };
        text.push(b'\n');
        print(out, &text)
    }

    fn derivations(&self, value: Value<'a>, root: Option<&Path>, out: &mut dyn Write) -> Result<(), LanguageError> {
        let eval = self.evaluation.eval;
        let mut found = Vec::new();
        for derivation in eval.derivations_in(value, self.arguments)? {
            let path = eval.force_str(eval.select(Value::Attrs(derivation), "drvPath")?)?.to_string_lossy();
            let output = match eval.get(derivation, "outputName") {
                Some(name) => eval.force_str(name.value())?.to_string_lossy(),
                None => {
                    return Err(
                        lang::Error::eval(format!("derivation '{path}' lacks an 'outputName' attribute")).into()
                    );
                }
            };
            let output = if output == "out" { String::new() } else { format!("!{output}") };
            found.push((path, output));
        }
        // All of them are one registration.
        self.evaluation.write()?;
        for (path, output) in found {
            let shown = match root {
                Some(root) => self.add_root(root, &path)?,
                None => path.into_owned(),
            };
            print(out, format!("{shown}{output}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Links to a derivation from a place of the user's; the second link is called `…-2`.
    fn add_root(&self, root: &Path, derivation: &str) -> Result<String, LanguageError> {
        self.roots.set(self.roots.get() + 1);
        let number = self.roots.get();
        let name = if number == 1 { root.to_owned() } else { PathBuf::from(format!("{}-{number}", root.display())) };
        let link = std::path::absolute(&name).map_err(|source| SystemError::Write { path: name, source })?;
        self.evaluation.add_root(&link, derivation)?;
        Ok(link.display().to_string())
    }
}

/// A reader that has gone away is no error of the evaluation, but ends it.
fn print(out: &mut dyn Write, bytes: &[u8]) -> Result<(), LanguageError> {
    out.write_all(bytes).map_err(|source| SystemError::Write { path: "-".into(), source }.into())
}
