"""Read: the files of captures and their frames, once in order, or again from their places."""
