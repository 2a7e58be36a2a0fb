"""What live tests are made of: hosts, links, servers, captures."""
