"""Answers handshakes by hand: the server end of RFC 9293 over a packet socket."""
