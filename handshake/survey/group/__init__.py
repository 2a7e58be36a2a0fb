"""Group: the packets of each pair of sockets, and the connections that are open."""
