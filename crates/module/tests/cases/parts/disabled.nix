{ list = [ "disabled" ]; }
