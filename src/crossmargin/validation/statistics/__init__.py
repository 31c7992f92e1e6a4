"""Tests and scores of forecasts, as formulas on arrays."""
