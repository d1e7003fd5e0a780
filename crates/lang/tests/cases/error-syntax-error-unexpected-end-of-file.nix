x: y: x + y + 
