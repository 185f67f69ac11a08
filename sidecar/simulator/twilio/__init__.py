"""Twilio's face: its REST API, its webhooks, and what it does with the documents it gets."""
