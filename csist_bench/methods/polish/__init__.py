"""`polish`: a decoder that carries heat maps off the grid."""
