"""The carriers. Each package knows one of them and none knows another."""
