"""What ``erlen.as_flask`` consists of: Flask's module names, and the names that only Flask's users need."""
