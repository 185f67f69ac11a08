"""A simulated telephone line inside the process: no account, no network, the feel of a call."""
