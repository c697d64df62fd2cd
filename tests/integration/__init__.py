"""Real servers in front of an application: the same behaviour is asked of each of them."""
