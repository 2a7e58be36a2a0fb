"""The interface to the Linux kernel: sockets, routes, TCP_INFO, and the guard against its RSTs."""
