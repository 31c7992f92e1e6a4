"""Model cards: what a model is for, what it rests on, where it fails, and what backtests say of it."""
