"""What may come and what came: forecasts, reverse stress, replays."""
