"""The pictures of the documentation, taken of applications that run: ``make screenshots``."""
