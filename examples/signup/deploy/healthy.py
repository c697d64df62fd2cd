"""Ask the server of this container for its first page; the exit code is 0 if it answers with 200."""

from __future__ import annotations

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
# By a name that it answers to, as other names are refused with 400.
names = os.environ.get("SIGNUP_HOSTS", "").split() or ["localhost"]
try:
    connection.request("GET", "/", headers={"Host": names[0].lstrip(".")})
    status = connection.getresponse().status
except OSError as error:
    sys.exit(f"no answer: {error}")
sys.exit(None if status == http.client.OK else f"answered with {status}")
