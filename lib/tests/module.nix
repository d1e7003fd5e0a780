# A module that is a function of something first.
x: { config.a = x; }
