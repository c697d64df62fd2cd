"""What ``python -m`` runs: ``python -m chapter_10 --app module:name COMMAND``."""

from .cli import main

main()
