# Pieces of text that depend on each other, put in order: activation scripts.
#
# What it is not: a general graph; use `toposort` for that.
{ lib }:
rec {
  # textClosureList :: { String = { text; deps; } | String } -> [String] -> [String]
  # The texts of the named entries and all they depend on, dependencies first.
  #   textClosureList { a = fullDepEntry "A" [ "b" ]; b = noDepEntry "B"; } [ "a" ] => [ "B" "A" ]
  textClosureList =
    predefined: args:
    let
      visit =
        done: todo:
        if todo == [ ] then
          done
        else
          let
            entry = builtins.head todo;
            rest = builtins.tail todo;
          in
          if builtins.isAttrs entry then
            visit (
              let
                inner = visit done entry.deps;
              in
              inner // { result = inner.result ++ [ entry.text ]; }
            ) rest
          else if done.seen ? ${entry} then
            visit done rest
          else
            visit (visit (done // { seen = done.seen // { ${entry} = true; }; }) [ predefined.${entry} ]) rest;
    in
    (visit { seen = { }; result = [ ]; } args).result;

  # textClosureMap :: (String -> String) -> AttrSet -> [String] -> String
  # The closure as one text, each piece mapped.
  #   textClosureMap id { a = fullDepEntry "A" [ "b" ]; b = noDepEntry "B"; } [ "a" ] => "B\nA"
  textClosureMap =
    f: predefined: names:
    lib.concatStringsSep "\n" (map f (textClosureList predefined names));

  # noDepEntry :: String -> { text; deps; }
  # Text that depends on nothing.
  #   noDepEntry "x" => { text = "x"; deps = [ ]; }
  noDepEntry = text: {
    inherit text;
    deps = [ ];
  };

  # fullDepEntry :: String -> [String] -> { text; deps; }
  # Text with dependencies.
  #   fullDepEntry "x" [ "y" ] => { text = "x"; deps = [ "y" ]; }
  fullDepEntry = text: deps: { inherit text deps; };

  # packEntry :: [String] -> { text; deps; }
  # Dependencies alone.
  #   packEntry [ "y" ] => { text = ""; deps = [ "y" ]; }
  packEntry = deps: {
    inherit deps;
    text = "";
  };

  # stringAfter :: [String] -> String -> { text; deps; }
  # `fullDepEntry` with its arguments swapped.
  #   stringAfter [ "y" ] "x" => { text = "x"; deps = [ "y" ]; }
  stringAfter = deps: text: { inherit text deps; };
}
