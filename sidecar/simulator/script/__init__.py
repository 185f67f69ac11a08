"""Scripts: a rehearsal written down in YAML, read with every mistake named."""
