"""Tables 1 and 4 to 10."""
