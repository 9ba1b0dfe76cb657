"""Which replica a request goes to: one module a router, each with `make(pool, options, rng)`."""
