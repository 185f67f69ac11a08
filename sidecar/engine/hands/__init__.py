"""How what was decided goes out: to the carrier, the agent, whoever asked, whoever listens."""
