"""Builders of every kind of product; importing a department registers its kinds."""
