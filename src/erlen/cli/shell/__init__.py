"""What ``erlen shell`` does: the shells it can start, and code that is run without one."""
