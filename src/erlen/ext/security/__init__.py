"""Accounts: users, roles, sessions, tokens, second factors, and the pages for them."""
