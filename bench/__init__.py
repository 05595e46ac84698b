"""Measurements: commands that print figures, never tests that depend on the clock."""
