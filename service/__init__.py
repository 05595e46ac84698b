"""The gateway: HTTP API, retrieval, embedding cache, metrics, web page and command line."""
