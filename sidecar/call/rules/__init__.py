"""What each event changes. Whether it applies at all is the table's business (`machine`)."""
