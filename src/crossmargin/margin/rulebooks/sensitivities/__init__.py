"""Margin from sensitivities: a delta-vega-curvature model with the user's parameters, and the standard schedule."""
