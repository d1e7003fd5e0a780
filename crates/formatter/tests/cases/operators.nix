{a=b+c*d; e=!f&&-g<h->i; j={a=1;b=2;}//optionalAttrs c{d=3;e=4;}; k=foo//{a=1;b=2;}; l=foo++[1 2];
m=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb+ccccccccccccccccccccccccc*ddddddddddd;
n=a==b&&c==d||aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa==bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb&&cccccccccccccccccc;
o=optionals a[1 2]++optionals b[3 4]; p=x|>f|>g; }
