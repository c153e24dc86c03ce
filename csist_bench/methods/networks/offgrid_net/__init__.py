"""OffGrid-Net, which answers targets instead of a heat map."""
