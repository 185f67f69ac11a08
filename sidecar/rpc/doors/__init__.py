"""The two ways in: stdin and stdout of the parent, and WebSocket."""
