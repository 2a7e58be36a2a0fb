"""`handshake craft`: builds one packet; its options, and what it prints."""
