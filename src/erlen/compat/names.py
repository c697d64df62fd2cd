"""Every name that Flask's modules have and Erlen's have not, with who needs it (the one table of ``erlen.as_flask``).

Public names of Flask 3.1 are not here: Erlen's modules have them under the same name. Here are private names that
extensions and applications rely on, names that a module of Flask shows because it imports them, and names that Flask
has removed. The latter warn, and say what to write instead.
"""

from __future__ import annotations

# This is loaded before anything else in the process, so nothing is imported here.

#: The release of Flask whose behaviour Erlen has, and which it gives itself out for.
VERSION = "3.1.3"

#: Modules of Flask that have another name in Erlen. All others have the same one: ``flask.ctx`` is ``erlen.ctx``.
MODULES = {
    "flask.debughelpers": "erlen.debug",
    "flask.sansio.app": "erlen.app",
    "flask.sansio.blueprints": "erlen.blueprints",
    "flask.sansio.scaffold": "erlen.scaffold",
    "flask.scaffold": "erlen.scaffold",
}

#: Modules that consist of what the table below has for them.
MADE_UP = {"flask._compat", "flask.sansio"}

#: Modules that Flask removed, with the release and what to import instead.
REMOVED_MODULES = {
    "flask.scaffold": ("3.0", "flask.sansio.scaffold"),
    "flask._compat": ("2.0", "the standard library"),
}


class Name:
    """One name of the table.

    :param module: Flask's module that it is in.
    :param name: the name.
    :param stands_for: what it is in Erlen, as ``module:attribute``.
    :param needed_by: which extension or application needs it.
    :param removed: the release of Flask that removed it.
    :param instead: what to write instead.
    """

    __slots__ = ("instead", "module", "name", "needed_by", "removed", "stands_for")

    def __init__(
        self, module: str, name: str, stands_for: str, needed_by: str, removed: str = "", instead: str = ""
    ) -> None:
        self.module = module
        self.name = name
        self.stands_for = stands_for
        self.needed_by = needed_by
        self.removed = removed
        self.instead = instead


_PROXIES = "current_app g request request_ctx session"

NAMES = (
    # What stands for the application class and what is around it.
    Name("flask", "Flask", "erlen.compat.application:Flask", "everybody"),
    Name("flask", "__version__", "erlen.compat.names:VERSION", "Flask-Admin, Flask-SocketIO, Sentry's SDK"),
    Name("flask.app", "Flask", "erlen.compat.application:Flask", "Flask-AppBuilder, Dash, OpenTelemetry"),
    Name("flask.sansio.app", "App", "erlen.app:Erlen", "Flask-Admin"),
    Name(
        "flask.sansio.scaffold",
        "_endpoint_from_view_func",
        "erlen.scaffold:endpoint_from_view_func",
        "Flask-RESTX",
    ),
    Name(
        "flask.scaffold",
        "_endpoint_from_view_func",
        "erlen.scaffold:endpoint_from_view_func",
        "Flask-RESTX 1.0, Flask-RESTful",
    ),
    Name(
        "flask.helpers",
        "_endpoint_from_view_func",
        "erlen.scaffold:endpoint_from_view_func",
        "Flask-RESTful, Flask-RESTX",
    ),
    Name("flask.sansio.scaffold", "find_package", "erlen.paths:find_package", "Flask-Assets"),
    Name("flask.sansio.scaffold", "_sentinel", "erlen.ctx:_sentinel", "applications that subclass Scaffold"),
    Name("flask.sansio.app", "_make_timedelta", "erlen.app:_as_timedelta", "Flask-Session"),
    Name("flask.app", "_make_timedelta", "erlen.app:_as_timedelta", "Flask-Session"),
    # The context, by the names it has in Flask 2.2 to 3.1.
    *(
        Name(module, "_cv_app", "erlen.ctx:context_var", "Flask-SQLAlchemy, Flask-SocketIO, pytest-flask")
        for module in ("flask.globals", "flask.app", "flask.ctx", "flask.helpers", "flask.templating")
    ),
    *(
        Name(module, "_cv_request", "erlen.compat.stacks:request_context_var", "Flask-Testing, pytest-flask")
        for module in ("flask.globals", "flask.app", "flask.ctx", "flask.helpers", "flask.templating")
    ),
    Name("flask.globals", "_no_app_msg", "erlen.messages:NO_APP_CONTEXT", "Celery integrations"),
    Name("flask.globals", "_no_req_msg", "erlen.messages:NO_REQUEST_CONTEXT", "Celery integrations"),
    # Modules of Flask show the proxies, which in Erlen are in a layer above theirs.
    *(
        Name(module, name, f"erlen.globals:{name}", "code that imports from where Flask uses it")
        for module in (
            "flask.app",
            "flask.blueprints",
            "flask.cli",
            "flask.debughelpers",
            "flask.helpers",
            "flask.json",
            "flask.logging",
            "flask.templating",
            "flask.views",
            "flask.wrappers",
        )
        for name in _PROXIES.split()
    ),
    *(
        Name("flask.app", name, f"werkzeug.exceptions:{name}", "Flask-RESTful, Flask-RESTX")
        for name in ("BadRequestKeyError", "HTTPException", "InternalServerError")
    ),
    *(
        Name("flask.app", name, f"werkzeug.routing:{name}", "Flask-Restless")
        for name in ("MapAdapter", "RequestRedirect", "RoutingException", "Rule")
    ),
    Name("flask.app", "Headers", "werkzeug.datastructures:Headers", "Flask-RESTful"),
    Name("flask.app", "Environment", "erlen.templating:Environment", "Flask-AppBuilder"),
    Name("flask.app", "send_from_directory", "erlen.helpers:send_from_directory", "Flask-AppBuilder"),
    Name("flask.app", "setupmethod", "erlen.scaffold:setupmethod", "Flask-RESTX, Flask-OpenAPI3"),
    *(
        Name("flask.app", name, f"erlen.signals:{name}", "Flask-RESTful, Flask-RESTX")
        for name in (
            "appcontext_tearing_down",
            "got_request_exception",
            "request_finished",
            "request_started",
            "request_tearing_down",
        )
    ),
    Name("flask.blueprints", "send_from_directory", "erlen.helpers:send_from_directory", "Flask-AppBuilder"),
    # The command line.
    Name("flask.cli", "import_string", "werkzeug.utils:import_string", "Flask-Script's successors"),
    Name(
        "flask.cli",
        "run_simple",
        "werkzeug.serving:run_simple",
        "Flask-DebugToolbar, applications' own run commands",
    ),
    Name(
        "flask.cli",
        "is_running_from_reloader",
        "werkzeug.serving:is_running_from_reloader",
        "Flask-APScheduler",
    ),
    Name("flask.cli", "_validate_key", "erlen.cli.parameters:validate_key", "applications' own run commands"),
    Name("flask.cli", "_set_app", "erlen.cli.program:_set_app", "applications' own run commands"),
    Name("flask.cli", "_set_debug", "erlen.cli.program:_set_debug", "applications' own run commands"),
    Name("flask.cli", "_app_option", "erlen.cli.program:_app_option", "applications' own groups"),
    Name("flask.cli", "_debug_option", "erlen.cli.program:_debug_option", "applications' own groups"),
    Name("flask.cli", "_env_file_option", "erlen.cli.program:_env_file_option", "applications' own groups"),
    Name("flask.cli", "_env_file_callback", "erlen.cli.program:_load_env_files", "applications' own groups"),
    # The rest of Flask's own names.
    Name(
        "flask.debughelpers", "DebugFilesKeyError", "erlen.debug.explain:FilesKeyError", "Flask-DebugToolbar"
    ),
    Name(
        "flask.debughelpers",
        "attach_enctype_error_multidict",
        "erlen.debug.explain:attach_enctype_error",
        "custom request classes",
    ),
    Name(
        "flask.debughelpers", "_dump_loader_info", "erlen.debug.explain:describe_loader", "Flask-DebugToolbar"
    ),
    Name("flask.helpers", "_split_blueprint_path", "erlen.wrappers:split_blueprint_path", "Flask-Menu"),
    Name("flask.wrappers", "_split_blueprint_path", "erlen.wrappers:split_blueprint_path", "Flask-Menu"),
    Name("flask.sessions", "_lazy_sha1", "erlen.sessions:_sha1", "session interfaces with another digest"),
    Name(
        "flask.templating",
        "_default_template_ctx_processor",
        "erlen.templating:default_template_context",
        "Flask-Babel, Flask-Themes2",
    ),
    Name("flask.testing", "Client", "werkzeug.test:Client", "Flask-Testing"),
    Name(
        "flask.testing",
        "_get_werkzeug_version",
        "erlen.testing.client:_werkzeug_version",
        "test clients of applications",
    ),
    # What Flask has removed.
    Name(
        "flask",
        "Markup",
        "markupsafe:Markup",
        "flask-paginate 2022, Flask-Misaka",
        "3.0",
        "markupsafe.Markup",
    ),
    Name("flask", "escape", "markupsafe:escape", "Flask-Misaka", "3.0", "markupsafe.escape"),
    *(
        Name(module, name, f"erlen.compat.stacks:{name}", needed_by, "2.3", instead)
        for name, needed_by, instead in (
            (
                "_request_ctx_stack",
                "Flask-Assets 2.0, Flask-Gravatar, Flask-Script",
                "flask.globals.request_ctx",
            ),
            ("_app_ctx_stack", "Flask-SeaSurf 1.1, Flask-SQLAlchemy 2.5, Flask-Gravatar", "flask.g"),
        )
        for module in ("flask", "flask.globals", "flask.ctx", "flask.app")
    ),
    Name(
        "flask", "safe_join", "werkzeug.utils:safe_join", "Flask-Autoindex", "2.1", "werkzeug.utils.safe_join"
    ),
    Name(
        "flask.helpers",
        "safe_join",
        "werkzeug.utils:safe_join",
        "Flask-FlatPages 0.7",
        "2.1",
        "werkzeug.utils.safe_join",
    ),
    Name(
        "flask.helpers",
        "locked_cached_property",
        "werkzeug.utils:cached_property",
        "Flask-AppBuilder 3",
        "3.0",
        "werkzeug.utils.cached_property",
    ),
    Name(
        "flask.helpers",
        "get_env",
        "erlen.compat.removed:get_env",
        "Flask-Static-Digest, Flask-Webpack",
        "2.3",
        "app.debug",
    ),
    Name(
        "flask.helpers",
        "total_seconds",
        "erlen.compat.removed:total_seconds",
        "Flask-Session 0.3, Flask-KVSession",
        "2.1",
        "timedelta.total_seconds",
    ),
    Name(
        "flask.helpers",
        "_PackageBoundObject",
        "erlen.scaffold:Scaffold",
        "Flask-Blueprint",
        "2.0",
        "flask.sansio.scaffold.Scaffold",
    ),
    Name(
        "flask.json",
        "JSONEncoder",
        "erlen.compat.removed:JSONEncoder",
        "Flask-MongoEngine 1.0",
        "2.3",
        "flask.json.provider.DefaultJSONProvider",
    ),
    Name(
        "flask.json",
        "JSONDecoder",
        "erlen.compat.removed:JSONDecoder",
        "Flask-MongoEngine 1.0",
        "2.3",
        "flask.json.provider.DefaultJSONProvider",
    ),
    Name(
        "flask.json",
        "htmlsafe_dumps",
        "erlen.compat.removed:htmlsafe_dumps",
        "Flask-Admin 1.4, Flask-Webpack",
        "2.3",
        "jinja2.utils.htmlsafe_json_dumps",
    ),
    Name("flask.json", "_json", "json:", "Flask-RESTful 0.3", "2.0", "json"),
    Name("flask", "json_available", "erlen.compat.removed:TRUE", "Flask-Testing 0.6", "2.0", "True"),
    Name("flask", "signals_available", "erlen.compat.removed:TRUE", "Flask-Testing 0.8", "3.0", "True"),
    Name(
        "flask.signals",
        "signals_available",
        "erlen.compat.removed:TRUE",
        "Flask-Login 0.6.2, Flask-Security 3",
        "3.0",
        "True",
    ),
    Name(
        "flask.signals", "_signals", "erlen.signals:_signals", "Flask-Mail 0.9", "3.0", "blinker.Namespace()"
    ),
    Name(
        "flask.testing",
        "make_test_environ_builder",
        "erlen.testing:EnvironBuilder",
        "pytest-flask 0.15",
        "2.0",
        "flask.testing.EnvironBuilder",
    ),
    Name(
        "flask.wrappers",
        "JSONMixin",
        "erlen.compat.removed:JSONMixin",
        "Flask-JSON 0.3",
        "2.1",
        "flask.Request",
    ),
    *(
        Name("flask.globals", name, f"erlen.compat.stacks:{name}", needed_by, "2.2", instead)
        for name, needed_by, instead in (
            ("_lookup_req_object", "Flask-Principal forks", "getattr(flask.globals.request_ctx, name)"),
            ("_lookup_app_object", "Flask-Principal forks", "getattr(flask.globals.app_ctx, name)"),
            ("_find_app", "Flask-Script", "flask.current_app"),
        )
    ),
    Name(
        "flask.globals",
        "_app_ctx_err_msg",
        "erlen.messages:NO_APP_CONTEXT",
        "Flask-SQLAlchemy 2",
        "2.2",
        "RuntimeError's own text",
    ),
    Name(
        "flask.globals",
        "_request_ctx_err_msg",
        "erlen.messages:NO_REQUEST_CONTEXT",
        "Flask-JWT",
        "2.2",
        "RuntimeError's own text",
    ),
    *(
        Name("flask._compat", name, f"erlen.compat.removed:{name}", "Flask-Script 2.0", "2.0", instead)
        for name, instead in (
            ("text_type", "str"),
            ("string_types", "str"),
            ("integer_types", "int"),
            ("iteritems", "dict.items"),
            ("iterkeys", "dict.keys"),
            ("itervalues", "dict.values"),
            ("reraise", "raise"),
            ("with_metaclass", "class C(metaclass=M)"),
        )
    ),
)
