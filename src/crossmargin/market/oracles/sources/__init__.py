"""What each kind of source says, decoded already, as quotes."""
