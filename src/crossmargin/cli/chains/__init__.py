"""The command `chains demo`: local chains with everything on them, and what breaks."""
