{ a={x=1;}; b={x=1;y=2;}; c={}; d={
}; e=rec {x=1;};
  f.g.h=1;"i j"=2;${k}=3; l."m"=n?o.p;


  # After any number of empty lines comes one.
  q=r.s or t;
inherit aa bb; inherit (cc) dd ee ff; inherit (x) aaaaaaa bbbbbbb ccccccc ddddddd; inherit
 gg; }
