"""Many captures at a time: in processes, or on a cluster."""
