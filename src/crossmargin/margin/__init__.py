"""What must be held: isolated, cross and portfolio margin, each term of it by name, from dated parameters."""
