{a=if b then c else d; e=if f then{a=1;}else{b=1;c=2;}; g=if h then i else if j then k else l;
m=if aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa && bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb || ccccccccccccccc then d else e;
n=assert o;p; q=with r;s; t=with u;[v w]; x=let y=1;in{z=y;}; }
