"""`handshake probe`: its options, and its output for one target and many."""
