"""The same application on Flask and on Erlen, the same requests, the answers compared.

``scenario.py`` builds the applications from the ``part_*`` files, ``cases_*`` list requests, ``calling.py`` makes
them at WSGI level and reduces what comes back to what can be compared, ``differences.py`` names what is meant
to differ.
"""
