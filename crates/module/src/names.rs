//! Symbols of the names the module system looks for.

use lang::Eval;
use syntax::Sym;

macro_rules! names {
    ($($field:ident = $text:literal),* $(,)?) => {
        /// Interned once per evaluator.
        pub(crate) struct Names {
            $(pub(crate) $field: Sym,)*
        }

        impl Names {
            pub(crate) fn new(eval: &Eval<'_>) -> Self {
                Names { $($field: eval.sym($text),)* }
            }
        }
    };
}

names! {
    apply = "apply",
    args = "args",
    assertion = "assertion",
    assertions = "assertions",
    check = "check",
    class = "_class",
    class_plain = "class",
    condition = "condition",
    config = "config",
    content = "content",
    contents = "contents",
    declaration_positions = "declarationPositions",
    declarations = "declarations",
    default = "default",
    default_text = "defaultText",
    definitions = "definitions",
    definitions_with_locations = "definitionsWithLocations",
    deprecation_message = "deprecationMessage",
    description = "description",
    description_class = "descriptionClass",
    disabled_modules = "disabledModules",
    empty_value = "emptyValue",
    example = "example",
    extend_modules = "extendModules",
    file = "file",
    file_attr = "_file",
    files = "files",
    freeform_type = "freeformType",
    function_args = "__functionArgs",
    functor = "functor",
    functor_call = "__functor",
    get_sub_modules = "getSubModules",
    get_sub_options = "getSubOptions",
    highest_prio = "highestPrio",
    imports = "imports",
    internal = "internal",
    is_defined = "isDefined",
    key = "key",
    lib = "lib",
    loc = "loc",
    merge = "merge",
    message = "message",
    meta = "meta",
    module = "_module",
    module_type = "moduleType",
    modules = "modules",
    modules_path = "modulesPath",
    name = "name",
    native = "__native",
    nested_types = "nestedTypes",
    options = "options",
    out_path = "outPath",
    payload = "payload",
    prefix = "prefix",
    prefix_arg = "_prefix",
    priority = "priority",
    read_only = "readOnly",
    require = "require",
    shell_path = "shellPath",
    special_args = "specialArgs",
    subst_sub_modules = "substSubModules",
    to_string = "__toString",
    type_ = "type",
    type_merge = "typeMerge",
    underscore_type = "_type",
    value = "value",
    visible = "visible",
    warnings = "warnings",
    wrapped = "wrapped",
}
