"""Who visits an application in a scenario, and writes down every answer."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from werkzeug.test import TestResponse

Entry: t.TypeAlias = dict[str, t.Any]

#: What differs from one run to the next in every application: values that are signed with a time stamp, and dates.
ALWAYS_VARIES = (
    (r"\.?[\w-]{4,}\.[\w-]{6}\.[\w-]{27}", "<signed>"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
)


class Visitor:
    """A browser without a screen: it keeps cookies, asks, and notes what came back.

    :param app: the application, Flask's or Erlen's.
    :param protocol: ``"wsgi"`` or ``"asgi"``.
    :param folder: an empty folder for databases and uploads.
    :param transcript: where the answers are noted; another visitor of the same application shares it.
    :param varies: pairs of a regular expression and a replacement, for what differs from run to run.
    :param options: for the test client, where an extension has one of its own.
    """

    def __init__(
        self,
        app: t.Any,
        protocol: str,
        folder: Path,
        transcript: list[Entry],
        varies: t.Sequence[tuple[str, str]] = (),
        **options: t.Any,
    ) -> None:
        self.app = app
        self.protocol = protocol
        self.folder = folder
        self.transcript = transcript
        self._varies = varies
        # Flask's test client has no protocol to choose.
        chosen = {"protocol": "asgi"} if protocol == "asgi" else {}
        self.client: t.Any = app.test_client(**chosen, **options)

    def another(self, **options: t.Any) -> Visitor:
        """Return another visitor, with cookies of its own.

        :param options: for the test client, where an extension has one of its own.
        """
        return Visitor(self.app, self.protocol, self.folder, self.transcript, self._varies, **options)

    def note(self, name: str, value: t.Any) -> None:
        """Write down anything else that has to be the same on both frameworks.

        :param name: what it is.
        :param value: anything JSON can hold.
        """
        self.transcript.append({"noted": self._steady(name), "value": self._steady(value)})

    def ask(self, method: str, path: str, **options: t.Any) -> TestResponse:
        """Send a request and note the answer.

        :param method: the method.
        :param path: the path, or a whole URL.
        :param options: as for Werkzeug's test client: ``data``, ``json``, ``headers``, ``query_string``,
            ``follow_redirects`` ...
        """
        response: TestResponse = self.client.open(path, method=method, **options)
        data = response.get_data()
        response.close()  # as a server does when it has sent all of it
        body = data.decode("utf-8", "backslashreplace")
        steady = self._steady(body)
        headers = [[name.lower(), self._steady(value)] for name, value in response.headers]
        for header in headers:
            if header[0] == "allow":  # a set of methods
                header[1] = ", ".join(sorted(header[1].split(", ")))
            elif header == ["content-length", str(len(data))] and steady != body:
                header[1] = "<right>"  # it varies with what was replaced
        self.transcript.append(
            {
                "asked": self._steady(f"{method} {path}"),
                "status": response.status,
                "headers": sorted(header for header in headers if header[0] != "date"),
                "body": steady,
            }
        )
        return response

    def get(self, path: str, **options: t.Any) -> TestResponse:
        """Send a GET request; see :meth:`ask`."""
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: t.Any) -> TestResponse:
        """Send a POST request; see :meth:`ask`."""
        return self.ask("POST", path, **options)

    def put(self, path: str, **options: t.Any) -> TestResponse:
        """Send a PUT request; see :meth:`ask`."""
        return self.ask("PUT", path, **options)

    def patch(self, path: str, **options: t.Any) -> TestResponse:
        """Send a PATCH request; see :meth:`ask`."""
        return self.ask("PATCH", path, **options)

    def delete(self, path: str, **options: t.Any) -> TestResponse:
        """Send a DELETE request; see :meth:`ask`."""
        return self.ask("DELETE", path, **options)

    def options(self, path: str, **options: t.Any) -> TestResponse:
        """Send an OPTIONS request; see :meth:`ask`."""
        return self.ask("OPTIONS", path, **options)

    def run(self, *args: str, **options: t.Any) -> str:
        """Run a command of the application and note what it printed and its exit code.

        :param args: the command and its arguments, as after ``flask``.
        :param options: for Click's runner, for example ``input``.
        :return: the output.
        """
        result = self.app.test_cli_runner().invoke(args=list(args), **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.note(f"$ {' '.join(args)}", [result.exit_code, result.output])
        output: str = result.output
        return output

    def _steady(self, value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {str(key): self._steady(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._steady(one) for one in value]
        if not isinstance(value, str):
            return value
        value = value.replace(str(self.folder), "<folder>")
        for pattern, replacement in (*self._varies, *ALWAYS_VARIES):
            value = re.sub(pattern, replacement, value)
        return value
