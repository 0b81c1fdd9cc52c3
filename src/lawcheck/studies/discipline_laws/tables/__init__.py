"""Tables 1 to 8."""
