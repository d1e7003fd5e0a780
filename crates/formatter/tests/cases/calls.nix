{a=f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccccccc;
b=f x(y: z){c=1;d=2;}; g=map(n: n+1)[1 2 3]; h=map(n: {a=n;b=2;})[1 2 3]; i=mkIf(a&&b){c=1;};
j=lib.mapAttrs'(name: value: lib.nameValuePair "a-${name}"{b=value;c=2;})cfg.all; k=f{a=1;b=2;}{c=3;d=4;};
l=throw "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
m=replaceStrings["a" "b"]["c" "d"]text; }
