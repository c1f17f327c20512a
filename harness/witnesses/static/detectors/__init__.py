"""One file for each kind of fact: a function from what the machine saw to facts."""
