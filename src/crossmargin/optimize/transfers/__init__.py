"""What it costs and how long it takes to bring value where it is needed, and which way to take."""
