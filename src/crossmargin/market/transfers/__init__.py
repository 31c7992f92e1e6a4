"""How value gets from one chain to another, as data: routes, their fees and times, and what gas costs."""
