//! Derivations and string contexts.

use nix_formats::placeholder;

use crate::builtins::Table;
use crate::coerce::Coerce;
use crate::context::{Context, Element};
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::string::Str;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("addDrvOutputDependencies", 1, add_output_dependencies),
    ("appendContext", 2, append_context),
    ("derivation", 1, |e, a| e.make_derivation(a[0])),
    ("derivationStrict", 1, |e, a| e.derivation_strict(e.force_attrs(a[0])?)),
    ("getContext", 1, get_context),
    ("hasContext", 1, |e, a| Ok(Value::bool(e.force_str(a[0])?.context().is_some()))),
    ("outputOf", 2, output_of),
    ("placeholder", 1, |e, a| {
        let output = String::from_utf8_lossy(e.force_plain(a[0])?).into_owned();
        Ok(e.string(&placeholder::own_output(&output)))
    }),
    ("unsafeDiscardOutputDependency", 1, |e, a| {
        map_context(e, a[0], |c| match c {
            Element::DrvDeep(drv) => Element::Opaque(drv),
            other => other,
        })
    }),
    ("unsafeDiscardStringContext", 1, |e, a| {
        let text = e.coerce(a[0], Coerce::INTERPOLATION)?;
        Ok(e.arena_string(text.as_bytes(), None))
    }),
];

fn map_context<'a>(eval: &Eval<'a>, value: Value<'a>, f: impl Fn(Element<'a>) -> Element<'a>) -> Res<Value<'a>> {
    let text = eval.coerce(value, Coerce::INTERPOLATION)?;
    let elements = text.context().map_or(&[][..], Context::elements);
    let context = Context::new(eval.bump(), elements.iter().copied().map(f).collect());
    Ok(eval.arena_string(text.as_bytes(), context))
}

fn add_output_dependencies<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text: &Str<'a> = eval.coerce(args[0], Coerce::INTERPOLATION)?;
    let elements = text.context().map_or(&[][..], Context::elements);
    let [element] = elements else {
        return Err(Error::eval(format!(
            "context of string '{}' must have exactly one element, but has {}",
            text.to_string_lossy(),
            elements.len()
        )));
    };
    let deep = match *element {
        Element::Opaque(path) if !path.ends_with(".drv") => {
            return Err(Error::eval(format!("path '{path}' is not a derivation")));
        }
        Element::Opaque(path) | Element::DrvDeep(path) => Element::DrvDeep(path),
        Element::Built(_, output) => {
            return Err(Error::eval(format!(
                "`addDrvOutputDependencies` can only act on derivations, not on a derivation output such as '{output}'"
            )));
        }
    };
    Ok(eval.arena_string(text.as_bytes(), Context::new(eval.bump(), vec![deep])))
}

/// An output of a derivation that another derivation makes; for one that is known it is that output.
fn output_of<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = eval.force_str(args[0])?;
    let shown = text.to_string_lossy();
    let output = String::from_utf8_lossy(eval.force_plain(args[1])?).into_owned();
    let elements = text.context().map_or(&[][..], Context::elements);
    let [element] = elements else {
        let n = elements.len();
        let entries = if n == 1 { "entry" } else { "entries" };
        return Err(Error::eval(format!(
            "string '{shown}' has {n} {entries} in its context. It should only have exactly one entry"
        )));
    };
    let (drv, expected) = match *element {
        Element::Opaque(path) => (path, path.to_owned()),
        Element::Built(drv, made) => (&*eval.bump().alloc_str(&format!("{drv}^{made}")), eval.output_text(drv, made)?),
        Element::DrvDeep(_) => {
            return Err(Error::eval(format!(
                "string '{shown}' has a context which refers to a complete source and binary closure. This is not \
                 supported at this time"
            )));
        }
    };
    if expected != shown {
        return Err(Error::eval(format!("string '{shown}' should be what its context refers to, '{expected}'")));
    }
    if matches!(element, Element::Opaque(path) if !path.ends_with(".drv")) {
        return Err(Error::eval(format!("path '{drv}' is not a derivation")));
    }
    let text = eval.output_text(drv, &output)?;
    Ok(eval.string_with_context(&text, vec![Element::Built(drv, eval.bump().alloc_str(&output))]))
}

fn get_context<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = eval.force_str(args[0])?;
    let elements = text.context().map_or(&[][..], Context::elements);
    let mut paths: Vec<&'a str> = elements
        .iter()
        .map(|e| match e {
            Element::Opaque(p) | Element::DrvDeep(p) | Element::Built(p, _) => *p,
        })
        .collect();
    if let Some((drv, made)) = paths.iter().find_map(|path| path.split_once('^')) {
        return Err(Error::eval(format!("cannot operate on output '{made}' of the unbuilt derivation '{drv}'")));
    }
    paths.sort_unstable();
    paths.dedup();
    let mut result = eval.attrs();
    for path in paths {
        let mut info = eval.attrs();
        let mut outputs = Vec::new();
        for element in elements {
            match *element {
                Element::Opaque(p) if p == path => info = info.entry("path", Value::bool(true)),
                Element::DrvDeep(p) if p == path => info = info.entry("allOutputs", Value::bool(true)),
                Element::Built(p, output) if p == path => outputs.push(eval.string(output)),
                _ => {}
            }
        }
        if !outputs.is_empty() {
            info = info.entry("outputs", eval.list(outputs));
        }
        result.insert(eval.sym(path), diagnostics::Pos::NONE, info.finish());
    }
    Ok(result.finish())
}

fn append_context<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = eval.force_str(args[0])?;
    let mut elements = text.context().map_or(&[][..], Context::elements).to_vec();
    let set = eval.force_attrs(args[1])?;
    for attr in set.all() {
        let path = &*eval.bump().alloc_str(&eval.symbols().text(attr.name));
        if eval.store_dir().parse(path).is_err() {
            return Err(Error::eval(format!("context key '\"{path}\"' is not a store path")).at(attr.pos));
        }
        let info = eval.force_attrs(attr.value())?;
        let flag = |name| eval.get(info, name).map_or(Ok(false), |a| eval.force_bool(a.value()));
        if flag("path")? {
            elements.push(Element::Opaque(path));
        }
        if flag("allOutputs")? {
            if !path.ends_with(".drv") {
                return Err(Error::eval(format!(
                    "tried to add all-outputs context of \"{path}\", which is not a derivation, to a string"
                ))
                .at(attr.pos));
            }
            elements.push(Element::DrvDeep(path));
        }
        if let Some(outputs) = eval.get(info, "outputs") {
            let outputs = eval.force_list(outputs.value())?;
            if !outputs.is_empty() && !path.ends_with(".drv") {
                return Err(Error::eval(format!(
                    "tried to add derivation output context of \"{path}\", which is not a derivation, to a string"
                ))
                .at(attr.pos));
            }
            for output in outputs.iter() {
                let name = String::from_utf8_lossy(eval.force_plain(output)?).into_owned();
                elements.push(Element::Built(path, eval.bump().alloc_str(&name)));
            }
        }
    }
    Ok(eval.arena_string(text.as_bytes(), Context::new(eval.bump(), elements)))
}
