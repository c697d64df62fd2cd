"""The server protocols an application speaks."""
