"""`group-map`: maximum a posteriori fits of groups under the scene law of SeqCSIST."""
