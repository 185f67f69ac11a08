"""What stands before the engine: placing calls, taking calls, long requests, restart, farewell."""
