"""Tests against real kernels: network namespaces, real sockets, tcpdump."""
