"""Shows how a TCP connection is made: on a real host, in a saved capture, in a lesson."""
