"""A book through crises of the past, as a command, tables and a page."""
