"""Rulebooks of venues and standards used as models: the same questions, asked of a rule that is only evaluated."""
