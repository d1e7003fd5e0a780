//! What each builtin function takes and does, in a line or two, for `:doc` and editors. Decides nothing; a test sees to it
//! that every function stands here with as many arguments as it has.

/// Name, arguments, meaning; sorted by name.
const DOCS: &[(&str, &str, &str)] = &[
    ("abort", "message", "Ends the evaluation with a message; `tryEval` does not catch it."),
    ("add", "a b", "The sum of two numbers."),
    (
        "addDrvOutputDependencies",
        "text",
        "The text with a context that means its derivation and all that was needed to build it.",
    ),
    ("addErrorContext", "context value", "The value; where it fails, the error says the context too."),
    ("all", "predicate list", "Whether the predicate holds for every element."),
    ("any", "predicate list", "Whether the predicate holds for some element."),
    ("appendContext", "text context", "The text with more context, as `getContext` gives it."),
    ("attrNames", "set", "The names of a set's attributes, sorted."),
    ("attrValues", "set", "The values of a set's attributes, in the order of their names."),
    ("baseNameOf", "path", "What stands behind the last slash."),
    ("bitAnd", "a b", "The bits that both integers have."),
    ("bitOr", "a b", "The bits that one of two integers has."),
    ("bitXor", "a b", "The bits in which two integers differ."),
    ("break", "value", "The value; other implementations stop in a debugger here."),
    ("catAttrs", "name sets", "The values that an attribute has in those of the sets that have it."),
    ("ceil", "number", "The smallest integer that is not less than a number."),
    ("compareVersions", "a b", "-1, 0 or 1: whether the first version is older, the same or newer."),
    ("concatLists", "lists", "The elements of several lists as one list."),
    ("concatMap", "function list", "The lists that a function makes of the elements, as one list."),
    ("concatStringsSep", "separator texts", "The texts as one, with a separator between them."),
    (
        "convertHash",
        "{ hash, hashAlgo ?, toHashFormat }",
        "A hash written in another form: base16, nix32, base64 or sri.",
    ),
    ("deepSeq", "first second", "The second value, after the first was evaluated throughout."),
    (
        "derivation",
        "{ name, system, builder, args ?, outputs ?, ... }",
        "A derivation: how something is built. Each attribute becomes a variable of the build's environment.",
    ),
    ("derivationStrict", "attributes", "What `derivation` is made of: the paths of the derivation and its outputs."),
    ("dirOf", "path", "What stands before the last slash."),
    ("div", "a b", "The quotient of two numbers; of integers without the remainder."),
    ("elem", "value list", "Whether a value is an element of a list."),
    ("elemAt", "list index", "The element with an index, counted from 0."),
    ("fetchClosure", "{ fromStore, fromPath, ... }", "A store path taken from a binary cache."),
    ("fetchGit", "url-or-{ url, rev ?, ref ?, ... }", "The files of a commit of a Git repository."),
    ("fetchMercurial", "url-or-{ url, rev ?, ... }", "The files of a commit of a Mercurial repository."),
    ("fetchTarball", "url-or-{ url, sha256 ?, name ? }", "The unpacked content of an archive."),
    ("fetchTree", "url-or-{ type, ... }", "A tree of files from wherever its type says, with what is known of it."),
    ("fetchurl", "url-or-{ url, sha256 ?, name ? }", "A file that is fetched during the evaluation."),
    ("filter", "predicate list", "The elements for which a predicate holds."),
    (
        "filterSource",
        "predicate path",
        "A copy of a path in the store with those files for which the predicate holds; it gets path and type.",
    ),
    ("findFile", "search-path name", "The first place in a search path that has a name; `<name>` calls it."),
    ("flakeRefToString", "attributes", "A flake reference as an URL."),
    ("floor", "number", "The largest integer that is not greater than a number."),
    (
        "foldl'",
        "function start list",
        "Goes through a list from the left: function (function start first) second, and so on, each evaluated at once.",
    ),
    ("fromJSON", "text", "The value that a JSON text stands for."),
    ("fromTOML", "text", "The value that a TOML text stands for."),
    ("functionArgs", "function", "The names of a function's set pattern, and whether each has a default."),
    ("genList", "function length", "A list of what a function makes of 0, 1, … up to the length."),
    (
        "genericClosure",
        "{ startSet, operator }",
        "All elements that can be reached from the first ones by an operator, each `key` once.",
    ),
    ("getAttr", "name set", "The attribute of a name, which may be computed."),
    ("getContext", "text", "What a text refers to: the store paths and derivations that its value depends on."),
    ("getEnv", "name", "The value of an environment variable; empty where there is none, and in pure evaluation."),
    ("getFlake", "reference", "The outputs of a flake and what it was locked to."),
    ("groupBy", "function list", "A set of lists: the elements by the text that a function makes of them."),
    ("hasAttr", "name set", "Whether a set has an attribute; the name may be computed."),
    ("hasContext", "text", "Whether a text refers to store paths."),
    ("hashFile", "algorithm path", "The hash of a file in base 16; md5, sha1, sha256 or sha512."),
    ("hashString", "algorithm text", "The hash of a text in base 16; md5, sha1, sha256 or sha512."),
    ("head", "list", "The first element."),
    ("import", "path", "The value of the expression in a file, or in a folder's default.nix."),
    ("intersectAttrs", "a b", "The attributes of the second set whose names the first one has too."),
    ("isAttrs", "value", "Whether a value is a set."),
    ("isBool", "value", "Whether a value is true or false."),
    ("isFloat", "value", "Whether a value is a float."),
    ("isFunction", "value", "Whether a value is a function."),
    ("isInt", "value", "Whether a value is an integer."),
    ("isList", "value", "Whether a value is a list."),
    ("isNull", "value", "Whether a value is null."),
    ("isPath", "value", "Whether a value is a path."),
    ("isString", "value", "Whether a value is a text."),
    ("length", "list", "How many elements a list has."),
    ("lessThan", "a b", "Whether the first value is less; numbers, texts, paths and lists of them."),
    ("listToAttrs", "list", "A set of elements of the form { name, value }; the first of equal names counts."),
    ("map", "function list", "The list of what a function makes of each element."),
    ("mapAttrs", "function set", "The set of what a function makes of each name and value."),
    (
        "match",
        "regex text",
        "The groups of an extended regular expression that matches all of a text; null where it does not.",
    ),
    ("mul", "a b", "The product of two numbers."),
    (
        "outputOf",
        "derivation output",
        "A reference to an output of a derivation that is only known when another one was built.",
    ),
    ("parseDrvName", "text", "A package's name taken apart into name and version."),
    ("parseFlakeRef", "text", "A flake reference, given as an URL, as attributes."),
    ("partition", "predicate list", "A set of two lists: the elements that are `right` and those that are `wrong`."),
    (
        "path",
        "{ path, name ?, filter ?, recursive ?, sha256 ? }",
        "A copy of a path in the store, perhaps filtered and under another name.",
    ),
    ("pathExists", "path", "Whether there is something at a path."),
    ("placeholder", "output", "A text that becomes the path of an output while it is built."),
    ("readDir", "path", "The entries of a folder and whether each is regular, directory, symlink or unknown."),
    ("readFile", "path", "The content of a file."),
    ("readFileType", "path", "What is at a path: regular, directory, symlink or unknown."),
    ("removeAttrs", "set names", "A set without some attributes."),
    (
        "replaceStrings",
        "from to text",
        "A text in which each part that stands in the first list is replaced by its partner in the second.",
    ),
    ("scopedImport", "scope path", "As `import`; names of the scope are seen in the file before all global ones."),
    ("seq", "first second", "The second value, after the first was evaluated."),
    ("sort", "less-than list", "A list in the order that a comparison gives; equal elements stay in theirs."),
    (
        "split",
        "regex text",
        "The parts between the matches of an extended regular expression, and lists of the groups of each match.",
    ),
    ("splitVersion", "version", "The components of a version."),
    ("storePath", "path", "A path in the store, as a reference to it."),
    ("stringLength", "text", "How many bytes a text has."),
    ("sub", "a b", "The difference of two numbers."),
    (
        "substring",
        "start length text",
        "A part of a text, counted in bytes from 0; a negative length means all that follows.",
    ),
    ("tail", "list", "The elements behind the first."),
    ("throw", "message", "Fails with a message; `tryEval` catches it."),
    ("toFile", "name text", "A file in the store with a text, which may refer to other such files."),
    ("toJSON", "value", "A value as a JSON text."),
    ("toPath", "path", "An absolute path, given as a text, in its shortest form."),
    ("toString", "value", "A value as a text; lists have their elements separated by spaces."),
    ("toXML", "value", "A value as an XML text."),
    ("trace", "message value", "The value, after a message was printed."),
    ("traceVerbose", "message value", "As `trace`, if --trace-verbose is given."),
    ("tryEval", "value", "Whether a value can be evaluated, and the value; catches `throw` and `assert`."),
    ("typeOf", "value", "The name of a value's type: int, bool, string, path, null, set, list, lambda or float."),
    (
        "unsafeDiscardOutputDependency",
        "text",
        "The text with a context that means derivations as files, not what they build.",
    ),
    ("unsafeDiscardStringContext", "text", "The text without what it refers to."),
    (
        "unsafeGetAttrPos",
        "name set",
        "The file, line and column at which an attribute was defined; null where that is not known.",
    ),
    ("warn", "message value", "The value, after a warning was printed."),
    ("zipAttrsWith", "function sets", "A set of what a function makes of each name and the list of its values."),
];

/// The arguments of a builtin function and what it does.
pub(crate) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    let index = DOCS.binary_search_by_key(&name, |doc| doc.0).ok()?;
    Some((DOCS[index].1, DOCS[index].2))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use bumpalo::Bump;

    use super::{DOCS, find};
    use crate::io::PureIo;
    use crate::{Eval, Settings, Value};

    /// Arguments as they are written, a set pattern being one.
    fn count(arguments: &str) -> usize {
        let pattern = arguments.find('{').map_or(arguments, |start| &arguments[..=start]);
        pattern.split(' ').count()
    }

    #[test]
    fn every_builtin_function_is_documented() {
        assert!(DOCS.windows(2).all(|pair| pair[0].0 < pair[1].0), "the table is not sorted");
        let bump = Bump::new();
        let eval = Eval::new(&bump, Rc::new(PureIo), Settings::default());
        for (name, value) in eval.builtins.borrow().iter() {
            let Value::Native(function) = value else { continue };
            let name = eval.symbols().text(*name);
            let (arguments, _) = find(&name).unwrap_or_else(|| panic!("{name} is not documented"));
            assert_eq!(count(arguments), function.arity, "{name} {arguments}");
        }
    }
}
