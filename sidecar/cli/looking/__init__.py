"""Looking at calls: through the running sidecar, in the store, or in a log file."""
