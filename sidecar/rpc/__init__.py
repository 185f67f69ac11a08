"""The front door: the JSON-RPC contract and the two ways in, stdio and a local WebSocket."""
