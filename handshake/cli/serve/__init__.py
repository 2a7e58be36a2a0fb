"""`handshake serve`: answers handshakes by hand."""
