"""What stress reports say of shocks: tables for a terminal, sections of a page, and the list of the library."""
