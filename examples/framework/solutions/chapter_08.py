"""Exercise of chapter 8: blueprints within blueprints."""

from __future__ import annotations

from chapter_08 import Blueprint, Sapling


class Nesting(Blueprint):
    """A blueprint that others can be registered on. Their names and prefixes stand behind its own."""

    def register_blueprint(self, blueprint: Blueprint, url_prefix: str | None = None) -> None:
        """Note a blueprint; it is registered when this one is."""
        inner = blueprint.url_prefix if url_prefix is None else url_prefix

        def register(app: Sapling, name: str, prefix: str) -> None:
            app.register_blueprint(blueprint, prefix.rstrip("/") + inner, f"{name}.{blueprint.name}")

        self.deferred.append(register)
