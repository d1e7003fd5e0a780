//! Flake references as attribute sets and back, and flakes with their inputs (`get-flake.nix`).

use crate::builtins::Table;
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::flake_ref;
use crate::io::FetchAttr;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("flakeRefToString", 1, to_text),
    ("getFlake", 1, get_flake),
    ("parseFlakeRef", 1, |e, a| {
        let text = String::from_utf8_lossy(e.force_plain(a[0])?).into_owned();
        let attrs = flake_ref::parse(&text).map_err(Error::eval)?;
        Ok(super::fetch::attr_set(e, &attrs).finish())
    }),
];

fn get_flake<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = String::from_utf8_lossy(eval.force_plain(args[0])?).into_owned();
    let attrs = flake_ref::parse(&text).map_err(Error::eval)?;
    let is_locked = attrs.contains_key("narHash") || attrs.contains_key("rev");
    if eval.settings().pure && !is_locked {
        return Err(Error::new(
            ErrorKind::Restricted,
            format!("cannot call 'getFlake' on unlocked flake reference '{text}' (use --impure to override)"),
        ));
    }
    let call = eval.eval_string(include_str!("get-flake.nix"), "«getFlake»", "/")?;
    eval.call(call, &[super::fetch::attr_set(eval, &attrs).finish(), Value::bool(eval.settings().pure)])
}

fn to_text<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let set = eval.force_attrs(args[0])?;
    let mut attrs = flake_ref::Attrs::new();
    for attr in eval.sorted_attrs(set) {
        let name = eval.symbols().text(attr.name);
        // The reference looks at what is evaluated already, which is more than here; forcing says the same and more.
        let value = match eval.force(attr.value())? {
            Value::Int(n) => match u64::try_from(n) {
                Ok(n) => FetchAttr::Int(n),
                Err(_) => {
                    return Err(Error::eval(format!("negative value given for flake ref attr {name}: {n}")));
                }
            },
            Value::Bool(b) => FetchAttr::Bool(b.get()),
            Value::String(s) => FetchAttr::String(s.to_string_lossy().into_owned()),
            other => {
                return Err(Error::eval(format!(
                    "flake reference attribute sets may only contain integers, Booleans, and strings, but attribute \
                     '{name}' is {}",
                    crate::print::describe_type(other)
                )));
            }
        };
        attrs.insert(name, value);
    }
    flake_ref::print(&attrs).map(|text| eval.string(&text)).map_err(Error::eval)
}
