"""Measured serving runs against simulated ones: the run's deployment and load rebuilt from its index row."""
