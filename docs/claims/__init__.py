"""The claims of a published text on prefill and decode, each with a verdict and our own figure."""
