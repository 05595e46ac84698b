"""The gateway; docs/architecture.md says which module is for what."""
