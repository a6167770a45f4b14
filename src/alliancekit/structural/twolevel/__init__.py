"""Two-level models: within and between parts by maximum likelihood."""
