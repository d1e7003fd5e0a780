# A package for the examples: what it is called with.
{ greeting }: { inherit greeting; }
