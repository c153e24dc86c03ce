"""What frames alone tell of the camera that made them."""
