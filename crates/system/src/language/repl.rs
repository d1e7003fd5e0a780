//! Reading, evaluating, printing: what the lines of `esker repl` mean. How they are typed is the program's affair.

use lang::{Sym, Value};

use super::{Evaluation, LanguageError};

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A text to print; may be empty.
    Text(String),
    /// The end.
    Quit,
}

/// The names that were defined so far.
pub struct Repl<'r, 'e, 'a> {
    evaluation: &'r Evaluation<'e, 'a>,
    scope: Vec<(Sym, Value<'a>)>,
    /// Files that `:l` loaded, for `:r`.
    loaded: Vec<String>,
}

const HELP: &str = "\
EXPRESSION    evaluate and print it, one level deep
NAME = EXPR   define a name
:p EXPR       print it evaluated throughout
:t EXPR       its type
:doc EXPR     what a function is and where it was written
:b EXPR       build a derivation
:l FILE       load a file: its attributes become names
:r            load all files again
:a EXPR       the attributes of a set become names
:q            leave
";

impl<'r, 'e, 'a> Repl<'r, 'e, 'a> {
    /// One that knows only the builtins.
    pub fn new(evaluation: &'r Evaluation<'e, 'a>) -> Self {
        Self { evaluation, scope: Vec::new(), loaded: Vec::new() }
    }

    /// Does what a line says.
    ///
    /// Errors when what it says is wrong; everything is then as before.
    pub fn line(&mut self, line: &str) -> Result<Answer, LanguageError> {
        let line = line.trim();
        let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let text = match command {
            "" => String::new(),
            ":q" | ":quit" => return Ok(Answer::Quit),
            ":?" | ":h" | ":help" => HELP.to_owned(),
            ":p" | ":print" => {
                let value = self.value(rest)?;
                self.evaluation.eval.show(self.evaluation.eval.force_deep(value)?)
            }
            ":t" | ":type" => type_of(self.value(rest)?),
            ":doc" => self.document(rest)?,
            ":b" | ":build" => self.build(rest)?,
            ":l" | ":load" => self.load(rest)?,
            ":r" | ":reload" => self.reload()?,
            ":a" | ":add" => {
                let value = self.value(rest)?;
                self.add(value)?
            }
            other if other.starts_with(':') => {
                let message = format!("there is no command '{other}'");
                return Err(lang::Error::eval(message).hint("`:?` lists the commands").into());
            }
            _ => match assignment(line) {
                Some((name, text)) => {
                    let name = self.evaluation.eval.sym(name);
                    let value = self.value(text)?;
                    self.define(name, value);
                    String::new()
                }
                None => self.evaluation.eval.show_evaluated(self.value(line)?, 1),
            },
        };
        Ok(Answer::Text(text))
    }

    fn value(&self, text: &str) -> Result<Value<'a>, LanguageError> {
        Ok(self.evaluation.eval.eval_in_scope(&self.scope, text, "«string»", &Evaluation::folder())?)
    }

    fn define(&mut self, name: Sym, value: Value<'a>) {
        self.scope.retain(|known| known.0 != name);
        self.scope.push((name, value));
    }

    fn add(&mut self, value: Value<'a>) -> Result<String, LanguageError> {
        let set = self.evaluation.eval.force_attrs(value)?;
        for attr in set.all() {
            self.define(attr.name, attr.value());
        }
        Ok(format!("added {} names", set.len()))
    }

    fn load(&mut self, file: &str) -> Result<String, LanguageError> {
        let said = self.load_file(file)?;
        if !self.loaded.iter().any(|known| known == file) {
            self.loaded.push(file.to_owned());
        }
        Ok(said)
    }

    fn load_file(&mut self, file: &str) -> Result<String, LanguageError> {
        let path = self.evaluation.file(file)?;
        self.evaluation.eval.forget_files();
        let value = self.evaluation.eval.eval_file(&path)?;
        let none = self.evaluation.arguments(&[])?;
        let value = self.evaluation.eval.auto_call(value, none)?;
        self.add(value)
    }

    fn reload(&mut self) -> Result<String, LanguageError> {
        let mut said = String::new();
        for file in self.loaded.clone() {
            said = self.load_file(&file)?;
        }
        Ok(said)
    }

    fn build(&self, text: &str) -> Result<String, LanguageError> {
        let value = self.value(text)?;
        let drv = self.evaluation.eval.force_str(self.evaluation.eval.select(value, "drvPath")?)?;
        let outputs = self.evaluation.build(&drv.to_string_lossy())?;
        let lines: Vec<String> = outputs.into_iter().map(|(name, path)| format!("  {name} -> {path}")).collect();
        Ok(format!("built:\n{}", lines.join("\n")))
    }

    fn document(&self, text: &str) -> Result<String, LanguageError> {
        let value = self.value(text)?;
        Ok(self.evaluation.eval.describe_function(value).unwrap_or_else(|| "only functions are documented".to_owned()))
    }

    /// Where the word at the end of `line` starts, and what it could become: names, or attributes of a set that is
    /// written before it.
    pub fn complete(&self, line: &str) -> (usize, Vec<String>) {
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '\'' | '-' | '.' | ':');
        let start = line.rfind(|c: char| !in_word(c)).map_or(0, |i| i + 1);
        let word = &line[start..];
        let eval = self.evaluation.eval;
        let (at, mut names) = match word.rsplit_once('.') {
            Some((set, _)) => {
                let names = match self.value(set) {
                    Ok(Value::Attrs(set)) => set.all().iter().map(|a| eval.symbols().text(a.name)).collect(),
                    // Nothing can be said about what cannot be evaluated.
                    _ => Vec::new(),
                };
                (start + set.len() + 1, names)
            }
            None => {
                let own = self.scope.iter().map(|(name, _)| eval.symbols().text(*name));
                let commands = [":p", ":t", ":doc", ":b", ":l", ":r", ":a", ":q", ":?"].map(str::to_owned);
                (start, own.chain(eval.global_names()).chain(commands).collect())
            }
        };
        names.retain(|name| name.starts_with(&line[at..]));
        names.sort_unstable();
        names.dedup();
        (at, names)
    }
}

/// Whether a text breaks off in the middle, so that another line may complete it.
pub fn is_incomplete(text: &str) -> bool {
    let expression = match text.trim_start().split_once(char::is_whitespace) {
        Some((command, rest)) if command.starts_with(':') => rest,
        _ => text,
    };
    let expression = assignment(expression).map_or(expression, |(_, value)| value);
    if expression.trim().is_empty() {
        return false;
    }
    lang::ends_early(expression)
}

/// `name = value`
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '\'' | '-'));
    (plain && !value.starts_with('=')).then_some((name, value))
}

fn type_of(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a Boolean".to_owned(),
        Value::Int(_) => "an integer".to_owned(),
        Value::Float(_) => "a float".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Path(_) => "a path".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Attrs(_) => "a set".to_owned(),
        other => match other.type_name() {
            "lambda" => "a function".to_owned(),
            name => name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{assignment, is_incomplete};

    #[test]
    fn equality_is_no_definition() {
        assert_eq!(assignment("a = 1"), Some(("a", " 1")));
        assert_eq!(assignment("a == 1"), None);
        assert_eq!(assignment("{ a = 1; }"), None);
    }

    #[test]
    fn an_open_bracket_wants_another_line() {
        for open in ["{ a = 1;", "let x = 1; in", "''text", "x = [", ":p (1 +", "\"a"] {
            assert!(is_incomplete(open), "{open}");
        }
        for whole in ["{ a = 1; }", "1 +* 2", "", ":q", "x = 1"] {
            assert!(!is_incomplete(whole), "{whole}");
        }
    }
}
