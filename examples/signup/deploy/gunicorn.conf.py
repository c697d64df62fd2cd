"""gunicorn for the sign-up example: ``gunicorn --config deploy/gunicorn.conf.py wsgi:app``."""

from __future__ import annotations

bind = "127.0.0.1:8000"

# Over WSGI: processes for the cores, threads for what waits for the database. Over ASGI: worker_class = "asgi".
worker_class = "gthread"
workers = 2
threads = 8

# Seconds for requests that run when it stops or reloads, and after which a worker that hangs is replaced.
graceful_timeout = 30
timeout = 60

# A worker is replaced after so many requests, each after another number: a leak stays small.
max_requests = 10_000
max_requests_jitter = 1_000

# Headers that a proxy may set the path with, which none here does. Without this line the client of a proxy that hands
# on names with an underscore could: SCRIPT_NAME is in the list from the start.
forwarder_headers = ""

# To standard output, with the client's address as the proxy has set it. Behind none: %(h)s in place of the first.
accesslog = "-"
access_log_format = '%({x-forwarded-for}i)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms'

# Where it would be in the home folder, which a service has none of.
control_socket_disable = True
