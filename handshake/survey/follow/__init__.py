"""Follow: runs of segments in which nothing happens at once, eventful ones one by one."""
