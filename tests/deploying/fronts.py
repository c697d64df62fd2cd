"""nginx and Apache with the files of the example: as they stand there, but for ports, paths and the application."""

from __future__ import annotations

import datetime
import os
import shutil
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .page import FILES, replaced
from .running import HOST, Running, Site, despite_others, free_ports, group_of_nobody

#: Where programs of the system stand that are not on everybody's path.
SYSTEM = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"

_APACHE_MODULES = "mpm_event authz_core mime alias headers socache_shmcb ssl http2 proxy proxy_http".split()

_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    types {{ text/css css; image/svg+xml svg; }}
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""

_APACHE = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/apache.pid"
ServerName none.invalid
{user}
{modules}
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
LogLevel warn
ErrorLog "{folder}/error.log"
LogFormat "%a \\"%r\\" %>s" short
CustomLog "{folder}/access.log" short
TypesConfig /dev/null
AddType text/css .css
<Directory "/">
    Require all denied
    AllowOverride None
</Directory>
Include "{folder}/site.conf"
"""


def nginx() -> str | None:
    """Return the program nginx, ``None`` where there is none."""
    return shutil.which("nginx", path=SYSTEM)


def apache() -> str | None:
    """Return the program of Apache, ``None`` where there is none."""
    return shutil.which("apache2", path=SYSTEM) or shutil.which("httpd", path=SYSTEM)


def apache_modules() -> Path | None:
    """Return the folder with the modules of Apache."""
    places = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/etc/httpd/modules")
    return next((Path(place) for place in places if Path(place).is_dir()), None)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate that is signed by its own key, and the key.

    :param folder: where they go.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "fullchain.pem", folder / "privkey.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private


class Front:
    """A server in front of an application.

    :param kind: ``"nginx"`` or ``"apache"``.
    :param folder: a new folder, which every user may enter.
    :param application: where the application listens: a port, or the path of a socket.
    :param static: the folder of the static files.
    """

    def __init__(self, kind: str, folder: Path, application: int | Path, static: Path) -> None:
        self.kind = kind
        self.folder = folder
        make_certificate(folder)
        # Its workers run as somebody else when root has started it, and may not read where this clone is.
        self.static = folder / "static"
        shutil.copytree(static, self.static)
        (folder / "settings.py").write_text("SECRET_KEY = 'not for everybody'\n")
        self._application = application
        self.running = despite_others(self._start)

    def _start(self) -> Running:
        http, https = free_ports(2)
        self.http, self.https = Site(http), Site(https, is_tls=True)
        command = self._nginx if self.kind == "nginx" else self._apache
        running = Running(
            command(self._application),
            self.folder / "output.txt",
            {"PATH": SYSTEM, "LC_ALL": "C"},
            self.folder,
        )
        running.wait_for(lambda: self.http.get("/").status)
        return running

    def _nginx(self, application: int | Path) -> list[str]:
        program = nginx()
        assert program is not None
        address = f"unix:{application}" if isinstance(application, Path) else f"127.0.0.1:{application}"
        site = replaced(
            (FILES / "nginx.conf").read_text(encoding="utf-8"),
            (r"^ *listen \[::\]:.*\n", ""),
            (r"listen 80\b", f"listen 127.0.0.1:{self.http.port}"),
            (r"listen 443\b", f"listen 127.0.0.1:{self.https.port}"),
            (r"/etc/letsencrypt/live/signup\.example\.com/", f"{self.folder}/"),
            (r"/srv/signup/signup/static/", f"{self.static}/"),
            (r"server unix:/run/signup/signup\.sock", f"server {address}"),
        )
        (self.folder / "site.conf").write_text(site, encoding="utf-8")
        user = f"user nobody {group_of_nobody()};" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            _NGINX.format(folder=self.folder, user=user), encoding="utf-8"
        )
        return [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]

    def _apache(self, application: int | Path) -> list[str]:
        program, folder = apache(), apache_modules()
        assert program is not None
        assert folder is not None
        text = (FILES / "apache.conf").read_text(encoding="utf-8")
        if isinstance(application, Path):
            text = replaced(text, (r"unix:/run/signup/signup\.sock", f"unix:{application}"))
        else:
            # As the file says: the other line.
            text = replaced(
                text,
                (r"^    ProxyPass \"/\" \"unix:.*\n", ""),
                (r"# (ProxyPass \"/\" )", r"ProxyPass \"/\" "),
            )
            text = text.replace('\\"', '"').replace("127.0.0.1:8000", f"127.0.0.1:{application}")
        site = replaced(
            text,
            (r"<VirtualHost \*:80>", f"<VirtualHost 127.0.0.1:{self.http.port}>"),
            (r"<VirtualHost \*:443>", f"<VirtualHost 127.0.0.1:{self.https.port}>"),
            (r"/etc/letsencrypt/live/signup\.example\.com/", f"{self.folder}/"),
            (r"/srv/signup/signup/static/", f"{self.static}/"),
            (r"/srv/signup/signup/static\"", f'{self.static}"'),
        )
        (self.folder / "site.conf").write_text(site, encoding="utf-8")
        modules = "\n".join(
            f"LoadModule {name}_module {folder}/mod_{name}.so"
            for name in ["unixd", *_APACHE_MODULES]
            if (folder / f"mod_{name}.so").exists()
        )
        user = f"User nobody\nGroup {group_of_nobody()}" if os.geteuid() == 0 else ""
        (self.folder / "apache.conf").write_text(
            _APACHE.format(
                folder=self.folder,
                user=user,
                modules=modules,
                http=self.http.port,
                https=self.https.port,
            ),
            encoding="utf-8",
        )
        return [program, "-f", str(self.folder / "apache.conf"), "-DFOREGROUND"]

    def log(self) -> str:
        """Return what it has logged of itself: no errors are expected there."""
        error = self.folder / "error.log"
        return self.running.log() + (error.read_text(encoding="utf-8") if error.exists() else "")

    def accesses(self) -> str:
        """Return its log of requests."""
        return (self.folder / "access.log").read_text(encoding="utf-8")

    def stop(self) -> None:
        """End it."""
        self.running.stop()


def missing(kind: str) -> str | None:
    """Return what is not there to run a server in front, as a sentence.

    :param kind: ``"nginx"`` or ``"apache"``.
    """
    if kind == "nginx":
        return None if nginx() else "nginx is not installed"
    return None if apache() and apache_modules() else "Apache is not installed"


KINDS: t.Final = ("nginx", "apache")
