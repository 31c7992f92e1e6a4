"""Journals of chains on disk: appended to, never changed, and read again after a crash."""
