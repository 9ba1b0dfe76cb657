"""Formats of traces, a module each: `Options`, `sniff(head)`, `read(source, options, faults) → Workload`."""
