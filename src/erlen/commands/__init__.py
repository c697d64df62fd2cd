"""Commands of the ``erlen`` program that applications do without: serving in production, checks, new projects.

They may use everything, and nothing imports them: ``cli.program`` has their names, and loads one when it is called.
"""
