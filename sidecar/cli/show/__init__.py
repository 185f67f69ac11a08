"""How things look to a person: calls, talk, figures, checks. Nothing here decides or asks."""
