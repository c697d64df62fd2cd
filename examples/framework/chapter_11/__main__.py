"""``python -m chapter_11 --app module:name COMMAND``."""

from .cli import main

main()
