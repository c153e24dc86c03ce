"""Parts shared by networks."""
