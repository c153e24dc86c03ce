"""`ml-seq`: maximum likelihood over the frames of a window."""
