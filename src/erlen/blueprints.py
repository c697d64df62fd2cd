"""Blueprints: a part of an application, written down now and registered on an application later.

What a blueprint collects for itself is merged into the registries of the application under its full name (the dotted
path of the blueprints it is nested in). What concerns rules, or the application as a whole, is recorded as a function
of the :class:`BlueprintSetupState` and called at each registration.
"""

from __future__ import annotations

import typing as t
from functools import update_wrapper

from . import typing as et
from .scaffold import (
    AfterRequest,
    BeforeRequest,
    ContextProcessor,
    ErrorHandler,
    Folder,
    Scaffold,
    SetupError,
    Teardown,
    URLDefaults,
    URLValuePreprocessor,
    calling_line,
    endpoint_from_view_func,
    refuse_async_url_defaults,
    setupmethod,
)

if t.TYPE_CHECKING:
    from .cli.groups import AppGroup

__all__ = ["Blueprint", "BlueprintSetupState"]

TemplateFilter = t.TypeVar("TemplateFilter", bound=et.TemplateFilterCallable)
TemplateTest = t.TypeVar("TemplateTest", bound=et.TemplateTestCallable)
TemplateGlobal = t.TypeVar("TemplateGlobal", bound=et.TemplateGlobalCallable)

DeferredSetupFunction: t.TypeAlias = "t.Callable[[BlueprintSetupState], None]"

_sentinel: t.Any = object()


def _join_prefixes(outer: str | None, inner: str | None) -> str | None:
    """Join two URL prefixes with one slash; ``None`` stands for no prefix."""
    if outer is None or inner is None:
        return inner if outer is None else outer
    return f"{outer.rstrip('/')}/{inner.lstrip('/')}"


def _join_subdomains(outer: str | None, inner: str | None) -> str | None:
    """Join two subdomains, the inner one to the left."""
    if not outer or not inner:
        return outer if inner is None else inner
    return f"{inner}.{outer}"


def _dotted(*names: str) -> str:
    return ".".join(names).lstrip(".")


class BlueprintSetupState:
    """One registration of a blueprint on an application; recorded functions are given it.

    :param blueprint: the blueprint.
    :param app: the application.
    :param options: the options given to ``register_blueprint``.
    :param first_registration: whether the application did not know this blueprint before, under any name.
    """

    def __init__(self, blueprint: Blueprint, app: t.Any, options: t.Any, first_registration: bool) -> None:
        # ``Any``: its class stands in a layer above.
        #: The application that the blueprint is being registered on.
        self.app: t.Any = app
        #: The blueprint that is being registered.
        self.blueprint = blueprint
        self.options: dict[str, t.Any] = options
        self.first_registration = first_registration
        #: The subdomain of the rules, the option before the blueprint's own.
        self.subdomain: str | None = self._option("subdomain", blueprint.subdomain)
        #: The prefix of all rules, the option before the blueprint's own.
        self.url_prefix: str | None = self._option("url_prefix", blueprint.url_prefix)
        #: The name of the blueprint, the option before its own.
        self.name: str = self._option("name", blueprint.name)
        #: The dotted names of the blueprints around this one.
        self.name_prefix: str = options.get("name_prefix", "")
        #: Values of every rule: those of the blueprint, overridden by those of this registration.
        self.url_defaults: dict[str, t.Any] = {
            **blueprint.url_values_defaults,
            **dict(options.get("url_defaults", ())),
        }

    def _option(self, key: str, default: t.Any) -> t.Any:
        value = self.options.get(key)
        return default if value is None else value

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: et.RouteCallable | None = None,
        **options: t.Any,
    ) -> None:
        """Register a rule on the application, with the prefix, subdomain, name and defaults of the blueprint.

        :param rule: the rule below the prefix; ``""`` is the prefix itself.
        """
        if self.url_prefix is not None:
            rule = t.cast("str", _join_prefixes(self.url_prefix, rule)) if rule else self.url_prefix
        if endpoint is None:
            endpoint = endpoint_from_view_func(view_func)
        options.setdefault("subdomain", self.subdomain)
        options["defaults"] = {**self.url_defaults, **(options.get("defaults") or {})}
        self.app.add_url_rule(rule, _dotted(self.name_prefix, self.name, endpoint), view_func, **options)


class Blueprint(Scaffold):
    """A set of views, hooks, handlers, templates and static files, registered on applications as one.

    :param name: what endpoints and URLs are told apart by: ``url_for("name.view")``. No dots.
    :param import_name: the module or package the blueprint is defined in, usually ``__name__``.
    :param static_folder: folder of static files, relative to the root path; off by default.
    :param static_url_path: URL of the static files, below ``url_prefix``; by default the folder's name.
    :param template_folder: folder of templates; those of the application win.
    :param url_prefix: what all rules begin with.
    :param subdomain: the subdomain of all rules that do not name one.
    :param url_defaults: values that all rules have.
    :param root_path: folder that the others are relative to; by default where ``import_name`` lives.
    :param cli_group: name of the command group; the blueprint's name by default, ``None`` puts the commands
        directly below the application's.
    """

    _got_registered_once = False

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: Folder | None = None,
        static_url_path: str | None = None,
        template_folder: Folder | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, t.Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _sentinel,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        if not name:
            raise ValueError(
                f"A blueprint in {import_name!r} was given the empty name {name!r}. Its endpoints are told apart "
                f"by the name: Blueprint('admin', __name__)."
            )
        _refuse_dot("name", name)
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        #: Values that all rules have.
        self.url_values_defaults: dict[str, t.Any] = {} if url_defaults is None else url_defaults
        self.cli_group = cli_group
        #: What :meth:`record` was given: functions that are called when the blueprint is registered.
        self.deferred_functions: list[DeferredSetupFunction] = []
        self._blueprints: list[tuple[Blueprint, dict[str, t.Any]]] = []

    def _thaw(self) -> None:
        # Nothing is made of a blueprint's registries; they are copied at registration.
        pass

    def _check_setup_finished(self, f_name: str) -> None:
        if not self._got_registered_once:
            return
        location = calling_line()
        raise SetupError(
            f"{location}: '{f_name}' was called on the blueprint {self.name!r}, which is registered on an "
            f"application already. The application would not learn of it. The likely cause: 'register_blueprint' "
            f"runs before this module is imported, or before this line. Move the call above "
            f"'register_blueprint(...)', or import the module that makes it before registering.",
            location,
        )

    # Recording

    @setupmethod
    def record(self, func: DeferredSetupFunction) -> None:
        """Call a function at each registration of this blueprint.

        :param func: takes the :class:`BlueprintSetupState`.
        """
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: DeferredSetupFunction) -> None:
        """Call a function at the first registration on each application only.

        :param func: takes the :class:`BlueprintSetupState`.
        """

        def call_first_time(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(update_wrapper(call_first_time, func))

    def make_setup_state(
        self, app: t.Any, options: dict[str, t.Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Make the object that recorded functions are given; override it to give them another."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Nest a blueprint in this one; it is registered together with it.

        :param blueprint: the inner blueprint.
        :param options: as for the application's ``register_blueprint``.
        """
        if blueprint is self or blueprint._holds(self):
            raise ValueError(
                f"The blueprint {blueprint.name!r} cannot be registered on {self.name!r}: that is the same "
                f"blueprint, or one that is nested in it, so the registration would never end. Nest the two one "
                f"way only."
            )
        self._blueprints.append((blueprint, options))

    def _holds(self, other: Blueprint) -> bool:
        return any(inner is other or inner._holds(other) for inner, _options in self._blueprints)

    # Registration

    def register(self, app: t.Any, options: dict[str, t.Any]) -> None:
        """Register everything on an application; ``app.register_blueprint`` calls this.

        Override it to do more at registration.

        :param app: the application.
        :param options: the options given to ``register_blueprint``.
        """
        first_registration = all(known is not self for known in app.blueprints.values())
        state = self.make_setup_state(app, options, first_registration)
        name = _dotted(state.name_prefix, state.name)
        if name in app.blueprints:
            raise ValueError(self._name_taken(name, app.blueprints[name]))
        app.blueprints[name] = self
        self._got_registered_once = True
        if self.has_static_folder:
            state.add_url_rule(f"{self.static_url_path}/<path:filename>", "static", self.send_static_file)
        self._merge_blueprint_funcs(app, name)
        for function in self.deferred_functions:
            function(state)
        if self._has_commands():
            self._merge_commands(app.cli, name, options.get("cli_group", _sentinel))
        for blueprint, inner_options in self._blueprints:
            blueprint.register(app, blueprint._nested_options(state, name, inner_options))

    def _name_taken(self, name: str, owner: t.Any) -> str:
        which = "this blueprint" if owner is self else f"another blueprint, of {owner.import_name!r}"
        return (
            f"The name {name!r} is taken by {which}, so the endpoints of {self!r} of {self.import_name!r} could not "
            f"be told apart from its. Register it under another: "
            f"register_blueprint(blueprint, name='{self.name}_2')."
        )

    def _nested_options(
        self, outer: BlueprintSetupState, outer_name: str, options: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Return the options this blueprint is registered with inside of another."""
        prefix, subdomain = options.get("url_prefix"), options.get("subdomain")
        return {
            **options,
            "url_prefix": _join_prefixes(outer.url_prefix, self.url_prefix if prefix is None else prefix),
            "subdomain": _join_subdomains(
                outer.subdomain, self.subdomain if subdomain is None else subdomain
            ),
            "name_prefix": outer_name,
        }

    def _merge_blueprint_funcs(self, app: t.Any, name: str) -> None:
        for attribute, merge in _MERGES.items():
            merge(getattr(self, attribute), getattr(app, attribute), name)

    def _merge_commands(self, commands: AppGroup, name: str, group_name: t.Any) -> None:
        if group_name is _sentinel:
            group_name = name if self.cli_group is _sentinel else self.cli_group
        if group_name is None:
            commands.commands.update(self.cli.commands)
        else:
            # The group keeps its own name: another application may register it under another.
            commands.add_command(self.cli, group_name)

    # Views

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: et.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Register a URL rule, below the prefix of the blueprint and with its name before the endpoint.

        :param rule: the rule below ``url_prefix``.
        :param endpoint: without the name of the blueprint; by default the name of the view.
        :param view_func: the view.
        :param provide_automatic_options: whether OPTIONS is answered without asking the view.
        :param options: as for the application's ``add_url_rule``.
        """
        if endpoint:
            _refuse_dot("endpoint", endpoint)
        elif view_func is not None and hasattr(view_func, "__name__"):
            _refuse_dot("view_func", view_func.__name__)

        def add(state: BlueprintSetupState) -> None:
            state.add_url_rule(
                rule, endpoint, view_func, provide_automatic_options=provide_automatic_options, **options
            )

        self.record(add)

    # For the whole application

    def _record_hook(self, registry: str, f: t.Callable[..., t.Any]) -> None:
        self.record_once(lambda state: getattr(state.app, registry)[None].append(f))

    def _record_helper(self, method: str, name: t.Any, f: t.Callable[..., t.Any] | None = None) -> t.Any:
        """Record a filter, test or global; return the decorator for one when none is given."""
        if f is None and callable(name):
            f, name = name, None
        if f is None:
            return lambda function: self._record_helper(method, name, function)
        self.record_once(lambda state: getattr(state.app, method)(f, name))
        return f

    @setupmethod
    def before_app_request(self, f: BeforeRequest) -> BeforeRequest:
        """Run a function before every view of the application."""
        self._record_hook("before_request_funcs", f)
        return f

    @setupmethod
    def after_app_request(self, f: AfterRequest) -> AfterRequest:
        """Run a function on every response of the application."""
        self._record_hook("after_request_funcs", f)
        return f

    @setupmethod
    def teardown_app_request(self, f: Teardown) -> Teardown:
        """Run a function when any request of the application is over."""
        self._record_hook("teardown_request_funcs", f)
        return f

    @setupmethod
    def app_context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Add the names in a function's dict to the context of every template."""
        self._record_hook("template_context_processors", f)
        return f

    @setupmethod
    def app_url_value_preprocessor(self, f: URLValuePreprocessor) -> URLValuePreprocessor:
        """Let a function change the URL values of every request of the application."""
        self._record_hook("url_value_preprocessors", f)
        return f

    @setupmethod
    def app_url_defaults(self, f: URLDefaults) -> URLDefaults:
        """Let a function add values to every URL the application builds; not an ``async`` one."""
        refuse_async_url_defaults(f, "app_url_defaults")
        self._record_hook("url_default_functions", f)
        return f

    @setupmethod
    def app_errorhandler(self, code: type[Exception] | int) -> t.Callable[[ErrorHandler], ErrorHandler]:
        """Decorate the function that answers an error anywhere in the application.

        :param code: a status code or an exception class.
        """
        self._get_exc_class_and_code(code)

        def decorate(f: ErrorHandler) -> ErrorHandler:
            self.record_once(lambda state: state.app.register_error_handler(code, f))
            return f

        return decorate

    @t.overload
    def app_template_filter(self, name: TemplateFilter) -> TemplateFilter: ...
    @t.overload
    def app_template_filter(
        self, name: str | None = None
    ) -> t.Callable[[TemplateFilter], TemplateFilter]: ...
    @setupmethod
    def app_template_filter(self, name: t.Any = None) -> t.Any:
        """Decorate a template filter of the whole application.

        :param name: the filter's name; the function's by default.
        """
        return self._record_helper("add_template_filter", name)

    @setupmethod
    def add_app_template_filter(self, f: et.TemplateFilterCallable, name: str | None = None) -> None:
        """Register a template filter of the whole application; :meth:`app_template_filter` as a call.

        :param f: takes the value, and the arguments of the filter.
        :param name: its name in templates; the function's by default.
        """
        self._record_helper("add_template_filter", name, f)

    @t.overload
    def app_template_test(self, name: TemplateTest) -> TemplateTest: ...
    @t.overload
    def app_template_test(self, name: str | None = None) -> t.Callable[[TemplateTest], TemplateTest]: ...
    @setupmethod
    def app_template_test(self, name: t.Any = None) -> t.Any:
        """Decorate a template test of the whole application.

        :param name: the test's name; the function's by default.
        """
        return self._record_helper("add_template_test", name)

    @setupmethod
    def add_app_template_test(self, f: et.TemplateTestCallable, name: str | None = None) -> None:
        """Register a template test of the whole application; :meth:`app_template_test` as a call.

        :param f: takes the value, and returns whether it passes.
        :param name: its name in templates; the function's by default.
        """
        self._record_helper("add_template_test", name, f)

    @t.overload
    def app_template_global(self, name: TemplateGlobal) -> TemplateGlobal: ...
    @t.overload
    def app_template_global(
        self, name: str | None = None
    ) -> t.Callable[[TemplateGlobal], TemplateGlobal]: ...
    @setupmethod
    def app_template_global(self, name: t.Any = None) -> t.Any:
        """Decorate a function that every template of the application can call.

        :param name: its name in templates; the function's by default.
        """
        return self._record_helper("add_template_global", name)

    @setupmethod
    def add_app_template_global(self, f: et.TemplateGlobalCallable, name: str | None = None) -> None:
        """Register a function that every template of the application can call; :meth:`app_template_global` as a call.

        :param f: the function.
        :param name: its name in templates; the function's by default.
        """
        self._record_helper("add_template_global", name, f)


def _refuse_dot(what: str, value: str) -> None:
    if "." in value:
        raise ValueError(
            f"A blueprint was given the {what} {value!r}, which has a dot in it. Dots part the names of nested "
            f"blueprints from each other and from the endpoint; use {value.replace('.', '_')!r}."
        )


def _merge_lists(source: t.Any, target: t.Any, name: str) -> None:
    for key, functions in source.items():
        target[name if key is None else f"{name}.{key}"].extend(functions)


def _merge_handlers(source: t.Any, target: t.Any, name: str) -> None:
    for key, handlers_by_code in source.items():
        merged = target[name if key is None else f"{name}.{key}"]
        for code, handlers in handlers_by_code.items():
            merged[code].update(handlers)


def _merge_views(source: t.Any, target: t.Any, name: str) -> None:
    # Names of '@blueprint.endpoint' are full endpoints already.
    target.update(source)


#: How each registry of a blueprint becomes part of the application's.
_MERGES: dict[str, t.Callable[[t.Any, t.Any, str], None]] = {
    "view_functions": _merge_views,
    "error_handler_spec": _merge_handlers,
    "before_request_funcs": _merge_lists,
    "after_request_funcs": _merge_lists,
    "teardown_request_funcs": _merge_lists,
    "template_context_processors": _merge_lists,
    "url_value_preprocessors": _merge_lists,
    "url_default_functions": _merge_lists,
}
