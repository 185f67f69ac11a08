"""What Twilio does with a call that is up: documents, prompts, input, and calls handed on."""
