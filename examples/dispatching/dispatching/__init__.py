"""Several applications, and several instances of one, in one interpreter under one server."""
