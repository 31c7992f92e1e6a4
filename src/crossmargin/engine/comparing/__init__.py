"""An account under many rulebooks: whole, its parts alone, at the cheapest venues, and in pieces where it is held."""
