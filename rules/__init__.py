"""One rule a file, named by its id; `registry` finds them."""
