"""Twilio: webhooks in and out as documents, commands over its REST interface."""
