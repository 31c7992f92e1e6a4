"""Registries from files, and what public lists would add to one."""
