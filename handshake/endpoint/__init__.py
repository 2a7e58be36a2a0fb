"""One end of a connection made by hand: what it sends, hears and concludes; no clock, no I/O."""
