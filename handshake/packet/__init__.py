"""Octets to segments and back: link layers, IP, tunnels, fragments; no socket, no file."""
