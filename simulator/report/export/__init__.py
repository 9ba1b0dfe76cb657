"""A run in the formats of other tools: `sim export`. A file a format, with `write(source, out, told)`."""
