"""Whom to believe: addresses, the public URL, signatures, and why one was refused."""
