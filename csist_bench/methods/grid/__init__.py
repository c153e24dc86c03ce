"""Training-free methods on the label grid."""
