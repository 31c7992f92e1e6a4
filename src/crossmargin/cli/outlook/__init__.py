"""What may come, as commands and reports: the requirement of tomorrow, and the move that would exhaust an account."""
