"""Margin statements as commands: make them of a book, and check one."""
