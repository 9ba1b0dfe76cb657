"""A run's report: one page, from the run in memory or from its folder, the same either way."""
