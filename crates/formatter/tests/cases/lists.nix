[[] [1] [1 2] [
1] (f x) (f {a=1;b=2;}) [{a=1;} {b=2;}] (if a then b else c)]
