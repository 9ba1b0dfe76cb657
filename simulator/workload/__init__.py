"""Who asks for what, when: workloads as columns, read from traces or generated."""
