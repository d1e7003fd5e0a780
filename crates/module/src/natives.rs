//! What `lib` binds to: the set `builtins.__moduleSystem lib`.

use diagnostics::Pos;
use lang::{Error, Eval, Res, Value};

use crate::collect::Input;
use crate::definition::{DEFAULT_PRIORITY, Raw};
use crate::evaluation::Evaluation;
use crate::level::Declaration;
use crate::loc::{Loc, show};
use crate::merging::{Settled, merged_value, settle};
use crate::option::merge_declarations;
use crate::system::System;
use crate::types::{Type, constructors, definitions_from, merge_default, merge_equal, merge_unique};

/// The native part of `lib`, for modules that get `lib` as an argument.
pub(crate) fn native_lib<'a>(eval: &Eval<'a>, system: &'a System<'a>, lib: Value<'a>) -> Value<'a> {
    let mut set = eval.attrs();
    set.insert_lazy(eval.sym("types"), Pos::NONE, move |eval| Ok(constructors(eval, system, lib)));
    let mut function = |name: &'static str, arity: usize, code: Code<'a>| {
        let code = eval.native_fn(name, arity, move |eval, args| code(eval, system, lib, args));
        set.insert(eval.sym(name), Pos::NONE, code);
    };
    function("evalModules", 1, eval_modules);
    function("mergeModules", 2, |eval, system, lib, args| Ok(merge_modules(eval, system, lib, args)?.1));
    function("mergeModules'", 3, |eval, system, lib, args| Ok(merge_modules(eval, system, lib, args)?.1));
    function("mergeDefinitions", 3, |eval, system, _, args| {
        let loc = Loc::from_value(eval, args[0])?;
        let ty = Type::decode(eval, system, args[1])?;
        let raws: Vec<Raw<'_>> =
            definitions_from(eval, system, args[2])?.into_iter().map(|d| Raw::new(d.file, d.pos, d.value)).collect();
        Ok(merged_set(eval, system, loc, ty, settle(eval, system, raws)?))
    });
    function("mergeOptionDecls", 2, |eval, system, _, args| {
        let loc = Loc::from_value(eval, args[0])?;
        let mut declarations = Vec::new();
        for item in eval.force_list(args[1])?.iter() {
            let file = eval.select(item, "_file")?;
            let pos = eval.get(eval.force_attrs(item)?, "options").map_or(Pos::NONE, |a| a.pos);
            declarations.push(Declaration { file, pos, options: eval.select(item, "options")? });
        }
        let declared = merge_declarations(eval, system, loc, &declarations)?;
        let more = eval
            .attrs()
            .entry("loc", args[0])
            .entry("declarations", eval.list(declarations.iter().map(|d| d.file).collect::<Vec<_>>()))
            .entry("options", eval.empty_list())
            .finish_attrs();
        Ok(Value::Attrs(eval.update(declared.attrs, more)))
    });
    function("fixupOptionType", 2, |eval, system, _, args| {
        let option = eval.force_attrs(args[1])?;
        if option.get(system.names.type_).is_some() {
            return Ok(Value::Attrs(option));
        }
        let unspecified = crate::types::leaf(eval, system, crate::types::Leaf::Unspecified);
        let more = eval.attrs().entry("type", unspecified).finish_attrs();
        Ok(Value::Attrs(eval.update(option, more)))
    });
    function("unifyModuleSyntax", 3, |eval, _, _, args| {
        let module = eval.attrs().entry("_file", args[0]).entry("key", args[1]).finish_attrs();
        Ok(Value::Attrs(eval.update(module, eval.force_attrs(args[2])?)))
    });
    function("showOption", 1, |eval, _, _, args| {
        let mut parts = Vec::new();
        for part in eval.force_list(args[0])?.iter() {
            parts.push(eval.force_str(part)?.to_string_lossy().into_owned());
        }
        Ok(eval.string(&show(&parts)))
    });
    function("mergeDefaultOption", 2, |eval, system, _, args| {
        let loc = Loc::from_value(eval, args[0])?;
        merge_default(eval, system, loc, &some(definitions_from(eval, system, args[1])?)?)
    });
    function("mergeEqualOption", 2, |eval, system, _, args| {
        let loc = Loc::from_value(eval, args[0])?;
        merge_equal(eval, loc, &some(definitions_from(eval, system, args[1])?)?)
    });
    function("mergeUniqueOption", 4, |eval, system, _, args| {
        let loc = Loc::from_value(eval, args[2])?;
        let definitions = definitions_from(eval, system, args[3])?;
        match (definitions.len(), eval.force(args[1])?) {
            (1, merge @ (Value::Lambda(_) | Value::Native(_) | Value::Partial(_) | Value::Attrs(_))) => {
                eval.call(merge, &args[2..4])
            }
            _ => {
                let advice = eval.force_str(args[0])?.to_string_lossy().into_owned();
                merge_unique(eval, loc, &advice, &definitions)
            }
        }
    });
    set.finish()
}

type Code<'a> = fn(&Eval<'a>, &'a System<'a>, Value<'a>, &[Value<'a>]) -> Res<Value<'a>>;

fn some<T>(list: Vec<T>) -> Res<Vec<T>> {
    if list.is_empty() { Err(Error::eval("there are no definitions to merge")) } else { Ok(list) }
}

/// `evalModules { modules; specialArgs ? { }; class ? null; prefix ? [ ]; args ? { }; check ? true; }`
fn eval_modules<'a>(eval: &Eval<'a>, system: &'a System<'a>, lib: Value<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let given = eval.force_attrs(args[0])?;
    let get = |name: &str| eval.get(given, name).map(lang::Attr::value);
    let Some(modules) = get("modules") else {
        return Err(Error::eval("`evalModules` is called without `modules`"));
    };
    let prefix = match get("prefix") {
        Some(prefix) => Loc::from_value(eval, prefix)?,
        None => Loc::root(),
    };
    let mut inputs = vec![Input::List(modules)];
    let file = eval.string("lib/modules.nix");
    let mut old_argument = |name: &str, value: Value<'a>| {
        let inner = eval.attrs().entry(name, value).finish();
        let config = eval.attrs().entry("_module", inner).finish();
        inputs.push(Input::Config(Raw::new(file, Pos::NONE, config)));
    };
    if let Some(args) = get("args") {
        old_argument("args", args);
    }
    if let Some(check) = get("check") {
        old_argument("check", check);
    }
    let mut evaluation = Evaluation::new(eval, system, lib, prefix, &inputs);
    if let Some(args) = get("specialArgs") {
        evaluation.special_args = args;
    }
    if let Some(class) = get("class") {
        evaluation.class = class;
    }
    Ok(evaluation.begin(eval).result(eval))
}

/// Modules in their structured form (`{ _file; options; config; }`): configuration and options.
fn merge_modules<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    lib: Value<'a>,
    args: &[Value<'a>],
) -> Res<(Value<'a>, Value<'a>)> {
    let prefix = Loc::from_value(eval, args[0])?;
    let mut modules: Vec<Value<'a>> = Vec::new();
    for module in eval.force_list(args[1])?.iter() {
        let set = eval.force_attrs(module)?;
        let mut clean = eval.attrs();
        for attr in set.all() {
            let known = [system.names.file_attr, system.names.options, system.names.config];
            if known.contains(&attr.name) {
                clean.insert(attr.name, attr.pos, attr.value());
            }
        }
        modules.push(clean.finish());
    }
    // `evalModules` merges in reverse order of its modules.
    modules.reverse();
    let inputs = [Input::List(eval.list(modules))];
    let evaluation = Evaluation::new(eval, system, lib, prefix, &inputs).begin(eval);
    let root = evaluation.root(eval)?;
    let options = eval.force_attrs(root.options(eval)?)?;
    let mut set = eval.attrs();
    for attr in options.all() {
        if attr.name != system.names.module {
            set.insert(attr.name, attr.pos, attr.value());
        }
    }
    Ok((root.config(eval)?, set.finish()))
}

fn merged_set<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    loc: Loc<'a>,
    ty: Type<'a>,
    settled: Settled<'a>,
) -> Value<'a> {
    let defined = !settled.definitions.is_empty();
    let merged = eval.lazy(move |eval| {
        if settled.definitions.is_empty() {
            return Err(crate::errors::undefined(eval, loc, &[]));
        }
        merged_value(eval, system, loc, ty, settled.definitions)
    });
    let definitions = eval.list(settled.definitions.iter().map(|d| d.attrs(eval, system)).collect::<Vec<_>>());
    let optional = if defined { eval.attrs().entry("value", merged).finish() } else { eval.empty_attrs() };
    let highest = if defined { settled.highest } else { DEFAULT_PRIORITY };
    let outer = eval.attrs().entry("values", definitions).entry("highestPrio", Value::Int(highest)).finish();
    eval.attrs()
        .entry("mergedValue", merged)
        .entry("isDefined", Value::bool(defined))
        .entry("optionalValue", optional)
        .entry("defsFinal", definitions)
        .entry("defsFinal'", outer)
        .finish()
}
