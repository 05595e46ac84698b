"""The routes of the HTTP API, thin: each turns a request into a call and the result into an answer."""
