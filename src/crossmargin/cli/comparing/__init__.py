"""The comparison under rulebooks: command, tables and page."""
