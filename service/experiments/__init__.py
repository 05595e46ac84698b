"""Aliases against each other: who sees which, and what came of it."""
