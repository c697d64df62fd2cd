"""Every name that Flask's modules have and Erlen's have not, with who needs it: the one table of ``erlen.as_flask``.

Public names of Flask 3.1 are not here: Erlen's modules have them under the same name. Here are private names that
extensions and applications use, names that a module of Flask shows because it imports them, and names that Flask has
removed. The latter warn, and say what to write instead.

Who needs a name was read off the sources of 160 releases of extensions and applications. 'applications' stands for
names that none of these needs: what was documented and is gone, and imports that an editor has completed from where Flask
itself imports the name.
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

#: Modules (below ``flask``) that are there with Flask itself.
LOADED = (
    "app blueprints cli config ctx debughelpers globals helpers json json.provider json.tag logging sansio.app "
    "sansio.blueprints sansio.scaffold sessions signals templating testing typing views wrappers"
).split()

#: Modules that consist of what the table below has for them.
MADE_UP = {"flask._compat", "flask.sansio"}

#: Modules that Flask removed, with the release and what to import instead.
REMOVED_MODULES = {
    "flask.scaffold": ("3.0", "flask.sansio.scaffold"),
    "flask._compat": ("2.0", "the standard library"),
}

# Modules (below "flask"), name, what it stands for, who needs it.
_KEPT = """
-, app                         | Flask                     | erlen.compat.application:Flask            | all
-                              | __version__               | erlen.compat.names:VERSION                | Flask-DebugToolbar 0.11, Flask-Cors 3
sansio.app                     | App                       | erlen.app:Erlen                           | Flask-Admin 2.2
sansio.scaffold                | _endpoint_from_view_func  | erlen.scaffold:endpoint_from_view_func    | Flask-RESTX 1.3
scaffold                       | _endpoint_from_view_func  | erlen.scaffold:endpoint_from_view_func    | Flask-RESTX 1.0 and 0.5
helpers                        | _endpoint_from_view_func  | erlen.scaffold:endpoint_from_view_func    | Flask-RESTful 0.3, Flask-RESTX 1.0
blueprints                     | _endpoint_from_view_func  | erlen.scaffold:endpoint_from_view_func    | Flask-Unchained 0.9
globals                        | _cv_app                   | erlen.compat.stacks:app_context_var       | Flask-Executor 1.0
app, ctx, helpers, templating  | _cv_app                   | erlen.compat.stacks:app_context_var       | applications
globals                        | _cv_request               | erlen.compat.stacks:request_context_var   | Quart 0.22
app, ctx, helpers, templating  | _cv_request               | erlen.compat.stacks:request_context_var   | applications
globals                        | _no_app_msg               | erlen.messages:NO_APP_CONTEXT             | applications
globals                        | _no_req_msg               | erlen.messages:NO_REQUEST_CONTEXT         | applications
debughelpers                   | _dump_loader_info         | erlen.debug.explain:describe_loader       | Flask-Unchained 0.9
debughelpers                   | DebugFilesKeyError        | erlen.debug.explain:FilesKeyError         | applications
helpers, wrappers              | _split_blueprint_path     | erlen.wrappers:split_blueprint_path       | applications
testing                        | _get_werkzeug_version     | erlen.testing.client:_werkzeug_version    | applications
app                            | _make_timedelta           | erlen.app:_as_timedelta                   | applications
sansio.scaffold                | find_package              | erlen.paths:find_package                  | applications
app, sansio.app                | Rule                      | werkzeug.routing:Rule                     | Flask-Smorest's tests
sansio.app                     | Map                       | werkzeug.routing:Map                      | applications
app                            | MapAdapter                | werkzeug.routing:MapAdapter               | applications
app, debughelpers              | RequestRedirect           | werkzeug.routing:RequestRedirect          | applications
app                            | RoutingException          | werkzeug.routing:RoutingException         | applications
app                            | ImmutableDict             | werkzeug.datastructures:ImmutableDict     | applications
app, cli                       | click                     | click:                                    | Flask-OpenAPI3 4.3
app                            | is_running_from_reloader  | werkzeug.serving:is_running_from_reloader | applications
app                            | appcontext_tearing_down   | erlen.signals:appcontext_tearing_down     | applications
app                            | got_request_exception     | erlen.signals:got_request_exception       | applications
app                            | request_finished          | erlen.signals:request_finished            | applications
app                            | request_started           | erlen.signals:request_started             | applications
app                            | request_tearing_down      | erlen.signals:request_tearing_down        | applications
sansio.app                     | BadRequest                | werkzeug.exceptions:BadRequest            | applications
sansio.app                     | DispatchingJinjaLoader    | erlen.templating:DispatchingJinjaLoader   | applications
sansio.app                     | Scaffold                  | erlen.scaffold:Scaffold                   | applications
sansio.app                     | _endpoint_from_view_func  | erlen.scaffold:endpoint_from_view_func    | applications
sessions                       | BadSignature              | itsdangerous:BadSignature                 | applications
testing                        | SessionMixin              | erlen.sessions:SessionMixin               | applications
testing                        | Client                    | werkzeug.test:Client                      | applications
testing                        | CliRunner                 | click.testing:CliRunner                   | applications
testing                        | Result                    | click.testing:Result                      | applications
testing                        | ScriptInfo                | erlen.cli:ScriptInfo                      | applications
cli                            | import_string             | werkzeug.utils:import_string              | applications
cli                            | run_simple                | werkzeug.serving:run_simple               | applications
cli                            | is_running_from_reloader  | werkzeug.serving:is_running_from_reloader | applications
cli                            | _validate_key             | erlen.cli.parameters:validate_key         | applications
cli                            | _set_app                  | erlen.cli.program:_set_app                | applications
cli                            | _set_debug                | erlen.cli.program:_set_debug              | applications
cli                            | _app_option               | erlen.cli.program:_app_option             | applications
cli                            | _debug_option             | erlen.cli.program:_debug_option           | applications
cli                            | _env_file_option          | erlen.cli.program:_env_file_option        | applications
cli                            | _env_file_callback        | erlen.cli.program:_load_env_files         | applications
app                            | BadRequestKeyError        | werkzeug.exceptions:BadRequestKeyError    | applications
app                            | HTTPException             | werkzeug.exceptions:HTTPException         | applications
app                            | InternalServerError       | werkzeug.exceptions:InternalServerError   | applications
app                            | Headers                   | werkzeug.datastructures:Headers           | applications
app                            | Environment               | erlen.templating:Environment              | applications
app                            | setupmethod               | erlen.scaffold:setupmethod                | applications
app                            | SessionInterface          | erlen.sessions:SessionInterface           | applications
app                            | SecureCookieSessionInterface | erlen.sessions:SecureCookieSessionInterface | applications
app                            | cli                       | erlen.cli:                                | applications
blueprints                     | AppGroup                  | erlen.cli:AppGroup                        | applications
app, blueprints                | send_from_directory       | erlen.helpers:send_from_directory         | applications
app, blueprints, cli, helpers, json, logging, templating, views, wrappers | current_app | erlen.globals:current_app | applications
app, helpers, logging, templating, views | request         | erlen.globals:request                     | applications
app, helpers                   | session                   | erlen.globals:session                     | applications
app, debughelpers, helpers     | request_ctx               | erlen.globals:request_ctx                 | applications
app                            | g                         | erlen.globals:g                           | applications
"""

# The same, and the release that removed it, and what to write instead.
_REMOVED = """
-       | Markup                 | markupsafe:Markup                         | Flask-WTF 0.14, Flask-DebugToolbar 0.11, flask-paginate 2022.1.8, Flask-Security 3.0 | 3.0 | markupsafe.Markup
-       | escape                 | markupsafe:escape                         | Flask-Blogging 2.0 | 3.0 | markupsafe.escape
-       | _request_ctx_stack     | erlen.compat.stacks:_request_ctx_stack    | Flask-Login 0.5, Flask-SocketIO 4.3, Flask-Assets 2, Flask-Gravatar, Flask-RBAC, Flask-Script | 2.3 | flask.globals.request_ctx
globals | _request_ctx_stack     | erlen.compat.stacks:_request_ctx_stack    | Flask-AppBuilder 3.4, Flask-DebugToolbar 0.11, Flask-Unchained 0.9 | 2.3 | flask.globals.request_ctx
app, ctx | _request_ctx_stack    | erlen.compat.stacks:_request_ctx_stack    | applications | 2.3 | flask.globals.request_ctx
-       | _app_ctx_stack         | erlen.compat.stacks:_app_ctx_stack        | Flask-SQLAlchemy 2.5, Flask-SeaSurf 1.1, Flask-MySQLdb 2.0, Flask-MySQL 1.6, Flask-Gravatar, Flask-Zipkin | 2.3 | flask.g
globals | _app_ctx_stack         | erlen.compat.stacks:_app_ctx_stack        | Flask-Executor 1.0, Flask-Unchained 0.9 | 2.3 | flask.g
app, ctx | _app_ctx_stack        | erlen.compat.stacks:_app_ctx_stack        | applications | 2.3 | flask.g
json    | JSONEncoder            | erlen.compat.removed:JSONEncoder          | Flask-MongoEngine 1.0 | 2.3 | flask.json.provider.DefaultJSONProvider
json    | JSONDecoder            | erlen.compat.removed:JSONDecoder          | applications | 2.3 | flask.json.provider.DefaultJSONProvider
json    | htmlsafe_dumps         | erlen.compat.removed:htmlsafe_dumps       | applications | 2.3 | jinja2.utils.htmlsafe_json_dumps
helpers | locked_cached_property | werkzeug.utils:cached_property            | Flask-Babel 2.0 | 3.0 | werkzeug.utils.cached_property
helpers | get_env                | erlen.compat.removed:get_env              | applications | 2.3 | app.debug
helpers | total_seconds          | erlen.compat.removed:total_seconds        | applications | 2.1 | timedelta.total_seconds
-, helpers | safe_join           | erlen.compat.removed:safe_join            | grip 4.6 | 2.1 | werkzeug.utils.safe_join
helpers | _PackageBoundObject    | erlen.scaffold:Scaffold                   | applications | 2.0 | flask.sansio.scaffold.Scaffold
-, signals | signals_available   | erlen.compat.removed:TRUE                 | applications | 3.0 | True
-       | json_available         | erlen.compat.removed:TRUE                 | applications | 2.0 | True
testing | make_test_environ_builder | erlen.testing:EnvironBuilder           | applications | 2.0 | flask.testing.EnvironBuilder
wrappers | JSONMixin             | erlen.compat.removed:JSONMixin            | applications | 2.1 | flask.Request
globals | _lookup_req_object     | erlen.compat.stacks:_lookup_req_object    | applications | 2.2 | getattr(flask.globals.request_ctx, name)
globals | _lookup_app_object     | erlen.compat.stacks:_lookup_app_object    | applications | 2.2 | getattr(flask.globals.app_ctx, name)
globals | _find_app              | erlen.compat.stacks:_find_app             | applications | 2.2 | flask.current_app
globals | _app_ctx_err_msg       | erlen.messages:NO_APP_CONTEXT             | applications | 2.2 | the text of the RuntimeError
globals | _request_ctx_err_msg   | erlen.messages:NO_REQUEST_CONTEXT         | applications | 2.2 | the text of the RuntimeError
_compat | text_type              | erlen.compat.removed:text_type            | Flask-Script 2.0 | 2.0 | str
_compat | string_types           | erlen.compat.removed:string_types         | Flask-Collect 1.3 | 2.0 | str
_compat | integer_types          | erlen.compat.removed:integer_types        | applications | 2.0 | int
_compat | iteritems              | erlen.compat.removed:iteritems            | applications | 2.0 | dict.items
_compat | iterkeys               | erlen.compat.removed:iterkeys             | applications | 2.0 | dict.keys
_compat | itervalues             | erlen.compat.removed:itervalues           | applications | 2.0 | dict.values
_compat | reraise                | erlen.compat.removed:reraise              | applications | 2.0 | raise
_compat | with_metaclass         | erlen.compat.removed:with_metaclass       | applications | 2.0 | class C(metaclass=M)
"""


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


def _rows(table: str) -> list[Name]:
    rows: list[Name] = []
    for line in table.strip().splitlines():
        modules, *cells = (cell.strip() for cell in line.split("|"))
        rows.extend(
            Name("flask" if module == "-" else f"flask.{module}", *cells) for module in modules.split(", ")
        )
    return rows


#: Private attributes and functions that Erlen has itself under Flask's name, as somebody needs them.
KEPT_AS_THEY_ARE = {
    "flask.app.Flask._find_error_handler": "flask-jsonrpc 4.0",
    "flask.app.Flask._got_first_request": "Dash 4.4, Calibre-Web 0.6",
    "flask.app.Flask._static_folder": "Flask-Static-Digest 0.4",
    "flask.blueprints.Blueprint._got_registered_once": "applications",
    "flask.ctx._AppCtxGlobals": "Superset 6.1, Quart 0.22",
    "flask.templating._render": "Flask-Testing 0.8",
    "flask.testing.FlaskClient._request_from_builder_args": "Flask-SocketIO 5.7",
}

#: The table.
NAMES = [*_rows(_KEPT), *_rows(_REMOVED)]
