"""The store without its sidecar: reading it for the command line, and taking in old history."""
