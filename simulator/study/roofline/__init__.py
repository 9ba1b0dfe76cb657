"""Where prefill and decode sit under an accelerator's roof, and what follows for batch and hardware."""
