"""What ``erlen routes`` shows: the rules of an application, and what answers one URL."""
