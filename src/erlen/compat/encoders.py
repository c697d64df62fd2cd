"""``app.json_encoder`` and ``app.json_decoder``, which Flask removed in 2.3, on a JSON provider."""

from __future__ import annotations

import json
import typing as t

from ..json.provider import DefaultJSONProvider
from .removed import JSONDecoder, JSONEncoder


class EncoderProvider(DefaultJSONProvider):
    """A provider that writes and reads with classes of the standard library's kind."""

    encoder: type[json.JSONEncoder] = JSONEncoder
    decoder: type[json.JSONDecoder] = JSONDecoder

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return a value as JSON text.

        :param obj: the value.
        :param kwargs: what :func:`json.dumps` takes.
        """
        options: dict[str, t.Any] = {
            "cls": self.encoder,
            "ensure_ascii": self.ensure_ascii,
            "sort_keys": self.sort_keys,
        }
        return json.dumps(obj, **(options | kwargs))

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the value of JSON text.

        :param s: the text.
        :param kwargs: what :func:`json.loads` takes.
        """
        return super().loads(s, **({"cls": self.decoder} | kwargs))


def provider_with(app: t.Any, name: str, cls: t.Any) -> EncoderProvider:
    """Return the provider of an application with another encoder or decoder; assign it to ``app.json``.

    :param app: the application.
    :param name: ``"encoder"`` or ``"decoder"``.
    :param cls: the class.
    """
    provider = app.json if isinstance(app.json, EncoderProvider) else EncoderProvider(app)
    for setting in ("ensure_ascii", "sort_keys", "compact", "mimetype"):
        setattr(provider, setting, getattr(app.json, setting, getattr(provider, setting)))
    setattr(provider, name, cls)
    return provider
