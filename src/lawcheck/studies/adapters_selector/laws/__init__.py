"""One file per law; the file's name is the law's name."""
