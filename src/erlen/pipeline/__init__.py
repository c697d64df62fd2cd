"""How a request is answered: ``dispatch.py`` has the phases, the other files what they use."""
