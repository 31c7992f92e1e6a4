"""Outside bytes to our values and back: files, tables and venues."""
