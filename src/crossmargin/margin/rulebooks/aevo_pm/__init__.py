"""Aevo's portfolio margin: fifteen scenarios and a floor."""
