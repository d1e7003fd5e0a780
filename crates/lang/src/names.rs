//! Symbols the evaluator itself looks for.

use syntax::{Sym, Symbols};

macro_rules! names {
    ($($field:ident = $text:literal),* $(,)?) => {
        /// Symbols of well-known names.
        pub(crate) struct Names {
            $(pub(crate) $field: Sym,)*
        }

        impl Names {
            pub(crate) fn new(symbols: &Symbols<'_>) -> Self {
                Names { $($field: symbols.intern($text.as_bytes()),)* }
            }
        }
    };
}

names! {
    builtins = "builtins",
    cur_pos = "__curPos",
    sub = "__sub",
    mul = "__mul",
    div = "__div",
    less_than = "__lessThan",
    find_file = "__findFile",
    nix_path = "__nixPath",
    overrides = "__overrides",
    functor = "__functor",
    to_string = "__toString",
    out_path = "outPath",
    drv_path = "drvPath",
    kind = "type",
    name = "name",
    value = "value",
    key = "key",
    start_set = "startSet",
    operator = "operator",
    success = "success",
    derivation = "derivation",
    outputs = "outputs",
    out = "out",
    all = "all",
    drv_attrs = "drvAttrs",
    output_name = "outputName",
    ignore_nulls = "__ignoreNulls",
    structured_attrs = "__structuredAttrs",
}
