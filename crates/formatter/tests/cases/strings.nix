{a=''
   one
     two ${f x}

   three ''${no} ''' '''
''; b=''on one line''; c=''first
    second''; d="x ${f {a=1;b=2;}} y"; e="two
lines"; g=''
  ${lib.concatStringsSep "\n" (map (x: ''
    inner ${x}
  '') list)}
''; h=./a/${b}/c; i=<nixpkgs>; }
