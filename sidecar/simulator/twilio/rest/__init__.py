"""Twilio's REST API, as far as calls go."""
