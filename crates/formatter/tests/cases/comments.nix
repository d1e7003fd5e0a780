/* A block
     of lines
   */
# top

{ a=[ # behind the bracket
 1 # one
 # before two
 2
 # at the end
 ]; b=/* inline */1; c=f /* bash */ ''
 x
''; /* single */
 d=# behind the sign
  2; e={ # behind the brace
  a=1;}; f=x: # behind the colon
  y; g=if a # why
  then b
  # otherwise
  else c; h=a # left
   + b; # right
  i=(# inside
  j); /** Documents k. */ k=1; l={
  # nothing but this
  }; m={ a, # about a
    # about b
    b ? 1 }: a;
  # the last word
}
# behind everything
