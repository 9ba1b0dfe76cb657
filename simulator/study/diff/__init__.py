"""Two runs against each other, or a run against what was measured: `sim diff`."""
