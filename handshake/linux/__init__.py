"""All that asks the Linux kernel: sockets, routes, TCP_INFO, the guard against its RSTs."""
