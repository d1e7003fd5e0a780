throw "multi\nline"
