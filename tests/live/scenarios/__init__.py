"""What a probe must get right: a test for each scenario, named after its number."""
