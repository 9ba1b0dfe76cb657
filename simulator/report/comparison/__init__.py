"""A comparison's page: what changes from the first design to each other, how sure that is, and why."""
