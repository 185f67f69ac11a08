"""Measurements of the running program. Each figure is measured through the process's own doors."""
