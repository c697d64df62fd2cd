"""``python -m chapter_12 --app module:name COMMAND``."""

from .cli import main

main()
