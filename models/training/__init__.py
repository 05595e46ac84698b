"""Training the cross-modal encoder; needs the `train` extra."""
