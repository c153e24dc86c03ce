"""Super-resolution networks, one file each, and their shared blocks."""
