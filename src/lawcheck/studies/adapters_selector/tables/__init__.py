"""Tables 1 to 4, and which tasks are taken for each other."""
