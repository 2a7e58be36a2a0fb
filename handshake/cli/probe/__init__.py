"""`handshake probe`: its options, its screens, one target and many."""
