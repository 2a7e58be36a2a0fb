"""Connections that we make ourselves, over a packet socket."""
