//! What can be said about a function: its name, its arguments, where it was written and the comment in front of it.

use crate::builtins::docs;
use crate::eval::Eval;
use crate::value::Value;

impl<'a> Eval<'a> {
    /// A description of a function for people; nothing for other values.
    pub fn describe_function(&self, value: Value<'a>) -> Option<String> {
        match value {
            Value::Native(f) => {
                let name = f.name.trim_start_matches("__");
                if let Some((arguments, meaning)) = docs::find(name) {
                    return Some(format!("builtins.{name} {arguments}\n\n{meaning}"));
                }
                let s = if f.arity == 1 { "" } else { "s" };
                Some(format!("{name}: a builtin function of {} argument{s}", f.arity))
            }
            Value::Partial(p) => {
                let given = p.args.len();
                let s = if given == 1 { " was" } else { "s were" };
                let function = self.describe_function(p.function)?;
                Some(format!("{function}\n\n{given} argument{s} given already."))
            }
            Value::Lambda(closure) => {
                let at = self.location(closure.span().start)?;
                let name = closure.name().map(|n| format!("{}: ", self.symbols().text(n))).unwrap_or_default();
                let mut text = format!("{name}a function at {}:{}:{}", at.file, at.line, at.column);
                if let Some(comment) = self.comment_before(closure.span().start) {
                    text.push_str("\n\n");
                    text.push_str(&comment);
                }
                Some(text)
            }
            Value::Attrs(set) => {
                let functor = set.get(self.names.functor)?;
                self.describe_function(self.force(functor.value()).ok()?)
            }
            _ => None,
        }
    }

    /// The documentation comment that ends right before a function or the binding it is the value of.
    fn comment_before(&self, pos: diagnostics::Pos) -> Option<String> {
        let sources = self.sources();
        let file = sources.file(pos)?;
        let before = String::from_utf8_lossy(file.text.get(..(pos.0 - file.base) as usize)?).into_owned();
        let open = before.rfind("/**")?;
        let close = open + before[open..].find("*/")?;
        let between = before[close + 2..].trim();
        // Only `name =` may stand between them.
        let name = between.strip_suffix('=').unwrap_or(between).trim();
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && !"_'-.".contains(c)) {
            return None;
        }
        let lines = before[open + 3..close].lines().map(|l| l.trim().trim_start_matches("* "));
        Some(lines.collect::<Vec<_>>().join("\n").trim().to_owned())
    }
}
