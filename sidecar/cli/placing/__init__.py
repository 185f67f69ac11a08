"""Placing calls: through the running sidecar, or through one that lives for that call."""
