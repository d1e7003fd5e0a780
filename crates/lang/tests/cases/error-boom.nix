builtins.addErrorContext "ctx" (throw "boom")
