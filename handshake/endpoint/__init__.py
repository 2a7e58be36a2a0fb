"""One end of a TCP connection, sans-IO: what it sends and receives, what it concludes."""
