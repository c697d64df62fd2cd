"""The application as servers are given it, over WSGI and over ASGI: ``wsgi:app``.

What depends on where it is served comes from three variables: ``SIGNUP_HOSTS``, the names it answers to,
``SIGNUP_PROXIES``, the number of proxies in front, and ``SIGNUP_INSTANCE``, the folder for what it keeps.
"""

from __future__ import annotations

import os

from werkzeug.middleware.proxy_fix import ProxyFix

from signup import create_app

app = create_app(
    # Without names any Host header is answered, which is for trying it out.
    {"TRUSTED_HOSTS": os.environ.get("SIGNUP_HOSTS", "").split() or None},
    instance_path=os.environ.get("SIGNUP_INSTANCE") or None,
)

# Each proxy that is counted sets these headers itself. With one too many, clients choose their own address.
if proxies := int(os.environ.get("SIGNUP_PROXIES", "0")):
    # The host is not among them: the proxies hand on the Host header.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[assignment, method-assign]
