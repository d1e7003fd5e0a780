let x = 1; y = x + z; in y
