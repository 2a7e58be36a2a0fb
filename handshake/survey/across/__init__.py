"""What connections show of one another: their hosts, and both sides of a NAT."""
