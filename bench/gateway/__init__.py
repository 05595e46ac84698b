"""`samestyle bench gateway`: what the gateway adds to its own models and index."""
