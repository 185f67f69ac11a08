"""The street door: the HTTP listener that carriers, and every stranger, can reach."""
