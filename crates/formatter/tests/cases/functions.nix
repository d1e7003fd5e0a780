{a=x: y: x; b={c,d}: c; e={c,d,f}: c; g={c?1}: c; h={c,...}@args: c; i=args@{c,...}: c; j={}: 1;
k=x: {a=1;b=2;}; l=x: y: z: f x y z; m={pkgs,...}:{a=1;b=2;}; n=x: let y=1; in y; o={
c}:c; q={c,d,...}:{x={y=1;};}; }
