"""Seeded mutations of small true files, thrown at every reader: what is not read is refused in one line."""
