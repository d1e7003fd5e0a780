//! The JSON Schema of a configuration in TOML, from the same declarations as the documentation.
//!
//! What TOML can express is described: sets of options, and types as far as a schema can say them. What it cannot
//! (functions, types made in the language) is left open, and options that nobody sets (read-only, internal) are left
//! out. Nothing is checked here; the module system is what decides. `share` writes repeated sets once. Format: JSON Schema, draft 2020-12.

mod share;

use lang::{Attrs, Eval, Res, Value};
use serde_json::{Map, Value as Json, json};

use crate::ModuleSystem;
use crate::docs::Reader;
use crate::system::System;
use crate::types::{Bounds, Elem, Kind, Leaf, NativeType, NumberBounds, Type};

/// Submodules within submodules deeper than this are left open: types may refer to themselves.
const DEPTH: usize = 10;

/// The keys that set a priority instead of a value, as a pattern of JSON Schema.
const PRIORITY_KEYS: &str = r"^\$(force|default)$";

/// The definition of a package that is named by its attribute; no option's name starts like this.
const PACKAGE: &str = "$package";

impl<'a> ModuleSystem<'a> {
    /// The schema of the modules in TOML that a configuration may import.
    ///
    /// # Errors
    /// When declarations cannot be evaluated.
    pub fn schema(&self, eval: &Eval<'a>, configuration: Value<'a>) -> Res<Json> {
        let evaluation = self.evaluation_of(eval, configuration)?;
        let mut writer = Writer { eval, system: self.system, depth: 0, above: Vec::new() };
        let options = eval.force_attrs(evaluation.root(eval)?.options(eval)?)?;
        let mut properties = writer.properties(options)?;
        let imports = json!({
            "type": "array",
            "items": { "type": "string" },
            "description": "Other modules, in TOML or Nix: paths, relative to this file.",
        });
        properties.insert("imports".to_owned(), imports);
        let freeform = evaluation.freeform_value(eval)?;
        let freeform = freeform.map(|ty| writer.ty(Type::decode(eval, self.system, ty)?)).transpose()?;
        let mut options = Json::Object(set_of_options(properties, freeform));
        let mut definitions = share::share(&mut options);
        let package = json!({
            "type": "object",
            "properties": { "$pkg": { "type": "string", "description": "An attribute of the package set." } },
            "minProperties": 1,
            "additionalProperties": false,
        });
        definitions.insert(PACKAGE.to_owned(), package);
        options["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        options["title"] = json!("Esker's configuration.toml");
        options["$defs"] = Json::Object(definitions);
        Ok(options)
    }
}

struct Writer<'e, 'a> {
    eval: &'e Eval<'a>,
    system: &'a System<'a>,
    /// How many submodules are around.
    depth: usize,
    /// The native types around, by number.
    above: Vec<u32>,
}

impl<'a> Writer<'_, 'a> {
    /// Schemas of what a set of options declares, by name.
    fn properties(&mut self, options: &'a Attrs<'a>) -> Res<Map<String, Json>> {
        let reader = Reader { eval: self.eval, system: self.system };
        let mut properties = Map::new();
        for attr in self.eval.sorted_attrs(options) {
            let name = self.eval.symbols().text(attr.name);
            if name == "_module" || name == "_freeformOptions" {
                continue;
            }
            let Value::Attrs(set) = self.eval.force(attr.value())? else { continue };
            if reader.is_option(set)? {
                if let Some(schema) = self.option(&reader, set)? {
                    properties.insert(name, schema);
                }
                continue;
            }
            let below = self.properties(set)?;
            if !below.is_empty() {
                properties.insert(name, Json::Object(set_of_options(below, None)));
            }
        }
        Ok(properties)
    }

    /// One option; nothing when nobody is to set it.
    fn option(&mut self, reader: &Reader<'_, 'a>, set: &'a Attrs<'a>) -> Res<Option<Json>> {
        let doc = reader.doc(set)?;
        if doc.internal || doc.read_only {
            return Ok(None);
        }
        let ty = match set.get(self.system.names.type_) {
            Some(ty) => self.ty(Type::decode(self.eval, self.system, ty.value())?)?,
            None => open(),
        };
        let mut schema = match with_priority(ty) {
            Json::Object(schema) => schema,
            _ => Map::new(),
        };
        if doc.visible {
            if let Some(description) = doc.description {
                schema.insert("description".to_owned(), json!(description.trim()));
            }
            if let Some(default) = self.literal_default(set) {
                schema.insert("default".to_owned(), default);
            }
        }
        Ok(Some(Json::Object(schema)))
    }

    /// The default, where it is data and nothing else stands for it in the documentation.
    fn literal_default(&self, set: &'a Attrs<'a>) -> Option<Json> {
        let names = &self.system.names;
        if set.get(names.default_text).is_some() {
            return None;
        }
        let value = self.eval.force_deep(set.get(names.default)?.value()).ok()?;
        self.data(value)
    }

    fn data(&self, value: Value<'a>) -> Option<Json> {
        Some(match self.eval.force(value).ok()? {
            Value::Bool(b) => json!(b.get()),
            Value::Int(n) => json!(n),
            Value::Float(n) => json!(n.get()),
            Value::String(s) if s.context().is_none() => json!(std::str::from_utf8(s.as_bytes()).ok()?),
            Value::List(list) => Json::Array(list.iter().map(|item| self.data(item)).collect::<Option<_>>()?),
            Value::Attrs(set) if set.get(self.system.names.underscore_type).is_none() => {
                let entries = self.eval.sorted_attrs(set).into_iter();
                let pair =
                    |attr: &'a lang::Attr<'a>| Some((self.eval.symbols().text(attr.name), self.data(attr.value())?));
                Json::Object(entries.map(pair).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn ty(&mut self, ty: Type<'a>) -> Res<Json> {
        // What was made from a native type merges and checks more, but takes the same kind of values.
        let Some(native) = ty.native() else { return Ok(open()) };
        if self.above.contains(&native.number) {
            return Ok(open());
        }
        self.above.push(native.number);
        let schema = self.kind(native);
        self.above.pop();
        schema
    }

    fn elem(&mut self, elem: &Elem<'a>) -> Res<Json> {
        let ty = elem.get(self.eval, self.system)?;
        self.ty(ty)
    }

    fn kind(&mut self, native: &'a NativeType<'a>) -> Res<Json> {
        Ok(match &native.kind {
            Kind::Leaf(leaf) => leaf_schema(*leaf),
            Kind::IntRange(bounds) => int_range(bounds),
            Kind::NumberRange(bounds) => number_range(bounds),
            Kind::StrMatching(_) | Kind::Separated(_) | Kind::Path { .. } => json!({ "type": "string" }),
            Kind::Enum(values) => self.enumeration(*values)?,
            Kind::List(elem) => json!({ "type": "array", "items": self.elem(elem)? }),
            Kind::NonEmptyList(elem) => json!({ "type": "array", "items": self.elem(elem)?, "minItems": 1 }),
            Kind::Attrs { elem, .. } => {
                let elem = with_priority(self.elem(elem)?);
                json!({
                    "type": "object",
                    "additionalProperties": elem,
                    "patternProperties": { PRIORITY_KEYS: true },
                })
            }
            // TOML has no null: leaving the option out is what says it.
            Kind::NullOr(elem) | Kind::Unique { elem, .. } | Kind::PasswdEntry(elem) => self.elem(elem)?,
            Kind::Either(a, b) | Kind::CoercedTo { from: a, to: b, .. } => any_of([self.elem(a)?, self.elem(b)?]),
            Kind::Submodule(_) => self.submodule(native)?,
            Kind::AttrTag { tags, .. } => {
                let tags = self.eval.force_attrs(*tags)?;
                let mut schema = set_of_options(self.properties(tags)?, None);
                schema.insert("minProperties".to_owned(), json!(1));
                schema.insert("maxProperties".to_owned(), json!(1));
                Json::Object(schema)
            }
            Kind::FunctionTo(_) | Kind::Deferred(_) => open(),
        })
    }

    fn enumeration(&self, values: Value<'a>) -> Res<Json> {
        let list = self.eval.force_list(values)?;
        let known: Vec<Json> = list.iter().filter_map(|value| self.data(value)).collect();
        // An alternative that is no data, such as null, cannot be written in TOML.
        Ok(json!({ "enum": known }))
    }

    fn submodule(&mut self, native: &'a NativeType<'a>) -> Res<Json> {
        let Kind::Submodule(spec) = &native.kind else { return Ok(open()) };
        if self.depth >= DEPTH {
            return Ok(json!({ "type": "object" }));
        }
        self.depth += 1;
        let base = spec.base(self.eval, self.system)?;
        let options = self.eval.force_attrs(base.root(self.eval)?.options(self.eval)?)?;
        let properties = self.properties(options)?;
        let freeform = match spec.freeform_type(self.eval, self.system)? {
            Some(ty) => Some(self.ty(Type::decode(self.eval, self.system, ty)?)?),
            None => None,
        };
        self.depth -= 1;
        Ok(Json::Object(set_of_options(properties, freeform)))
    }
}

/// The schema of a set with these options, where `freeform` is the type of the whole set if others are admitted.
fn set_of_options(properties: Map<String, Json>, freeform: Option<Json>) -> Map<String, Json> {
    // The freeform type is that of the whole set, so what it says of further attributes is what counts.
    let additional = freeform.map(|schema| schema.get("additionalProperties").cloned().unwrap_or(Json::Bool(true)));
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Json::Object(properties));
    // Priorities may be set for whole sets, too.
    schema.insert("patternProperties".to_owned(), json!({ PRIORITY_KEYS: true }));
    schema.insert("additionalProperties".to_owned(), additional.unwrap_or(Json::Bool(false)));
    schema
}

/// The same value, or one with a priority: `{ "$force" = v }`.
fn with_priority(schema: Json) -> Json {
    let admits_all = schema.as_object().is_some_and(Map::is_empty);
    let is_set = schema.get("patternProperties").is_some();
    if admits_all || is_set {
        return schema;
    }
    // What holds options of its own is not repeated: three copies at each level would be too many.
    let inner = if holds_options(&schema) { Json::Bool(true) } else { schema.clone() };
    let prioritised = json!({
        "type": "object",
        "properties": { "$force": inner, "$default": inner },
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    });
    any_of([schema, prioritised])
}

fn holds_options(schema: &Json) -> bool {
    match schema {
        Json::Object(map) => map.contains_key("patternProperties") || map.values().any(holds_options),
        Json::Array(items) => items.iter().any(holds_options),
        _ => false,
    }
}

/// A schema that admits everything.
fn open() -> Json {
    Json::Object(Map::new())
}

fn any_of(schemas: impl IntoIterator<Item = Json>) -> Json {
    let mut alternatives: Vec<Json> = Vec::new();
    for schema in schemas {
        let inner = match schema.as_object() {
            Some(map) if map.is_empty() => return open(),
            Some(map) if map.len() == 1 => map.get("anyOf").and_then(Json::as_array).cloned(),
            _ => None,
        };
        for alternative in inner.unwrap_or_else(|| vec![schema]) {
            if !alternatives.contains(&alternative) {
                alternatives.push(alternative);
            }
        }
    }
    match <[Json; 1]>::try_from(alternatives) {
        Ok([only]) => only,
        Err(several) => json!({ "anyOf": several }),
    }
}

fn leaf_schema(leaf: Leaf) -> Json {
    match leaf {
        Leaf::Bool | Leaf::BoolByOr => json!({ "type": "boolean" }),
        Leaf::Int => json!({ "type": "integer" }),
        Leaf::Float => json!({ "type": "number" }),
        Leaf::Str => json!({ "type": "string" }),
        Leaf::NonEmptyStr => json!({ "type": "string", "pattern": r"[^ \t\n]" }),
        Leaf::SingleLineStr => json!({ "type": "string", "pattern": r"^[^\r\n]*\n?$" }),
        Leaf::Attrs => json!({ "type": "object" }),
        Leaf::Package | Leaf::ShellPackage => {
            json!({ "anyOf": [{ "type": "string" }, { "$ref": format!("#/$defs/{PACKAGE}") }] })
        }
        Leaf::Unspecified | Leaf::Raw | Leaf::Anything | Leaf::OptionType | Leaf::Pkgs | Leaf::LuaInline => open(),
    }
}

fn int_range(bounds: &Bounds) -> Json {
    let mut schema = json!({ "type": "integer" });
    if bounds.lowest != i64::MIN {
        schema["minimum"] = json!(bounds.lowest);
    }
    if bounds.highest != i64::MAX {
        schema["maximum"] = json!(bounds.highest);
    }
    schema
}

fn number_range(bounds: &NumberBounds) -> Json {
    match bounds {
        NumberBounds::Between(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
        NumberBounds::Nonnegative => json!({ "type": "number", "minimum": 0 }),
        NumberBounds::Positive => json!({ "type": "number", "exclusiveMinimum": 0 }),
    }
}
