"""The hall: one owner per call. Stores what the core decides, then performs it; opens no socket."""
