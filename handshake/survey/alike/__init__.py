"""Records of connections alike: the tracker follows one of each shape."""
