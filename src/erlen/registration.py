"""What only an application registers: URL rules, blueprints, template helpers, ends of contexts."""

from __future__ import annotations

import inspect
import re
import typing as t
import weakref

from werkzeug.routing import BuildError, Map, Rule

from . import typing as et
from .blueprints import Blueprint, TemplateFilter, TemplateGlobal, TemplateTest
from .config import Config
from .registry import TellingDict, TellingList
from .scaffold import (
    Folder,
    Scaffold,
    SetupError,
    Teardown,
    calling_line,
    endpoint_from_view_func,
    refuse_async,
    setupmethod,
    source_line,
)
from .templating import default_template_context

# Converters of Starlette that have other names in Werkzeug.
_CONVERTERS_ELSEWHERE = {"str": "string"}
# A variable of a rule, whose converter may have braces in its arguments, or one as it is written for Starlette.
_PARTS_WITH_NAMES = re.compile(
    r"<(?:\w+(?:\(.*?\))?:)?(?P<given>\w+)>|\{(?P<meant>\w+)(?::(?P<converter>\w+))?\}"
)

ShellContextProcessor = t.TypeVar("ShellContextProcessor", bound=et.ShellContextProcessorCallable)


class Registration(Scaffold):
    """The registries of an application, and the methods that fill them.

    The static route needs the configuration: the application calls :meth:`_add_static_rule` when it has made it.

    :param host_matching: whether rules are matched by ``host`` instead of ``subdomain``.
    :param subdomain_matching: whether the subdomain below ``SERVER_NAME`` counts when a rule is matched.
    """

    #: What :meth:`add_url_rule` makes of a rule, Werkzeug's ``Rule`` or a subclass.
    url_rule_class: type[Rule] = Rule
    #: What :attr:`url_map` is made of, Werkzeug's ``Map`` or a subclass; read when the application is made.
    url_map_class: type[Map] = Map

    config: Config
    #: A property in the application, which makes it when it is first asked for.
    jinja_env: t.Any
    _got_first_request: bool = False

    def __init__(
        self,
        import_name: str,
        static_folder: Folder | None = None,
        static_url_path: str | None = None,
        template_folder: Folder | None = None,
        root_path: str | None = None,
        *,
        host_matching: bool = False,
        subdomain_matching: bool = False,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        #: Whether the subdomain below ``SERVER_NAME`` is matched.
        self.subdomain_matching = subdomain_matching
        self.template_context_processors[None].append(default_template_context)
        #: The rules, Werkzeug's ``Map``.
        self.url_map = self.url_map_class(host_matching=host_matching)
        changed = self._changed_callback()
        self._tell_of_rules(self.url_map, changed)
        #: The registered blueprints by their full names.
        self.blueprints: dict[str, Blueprint] = TellingDict()
        #: Asked in turn when ``url_for`` cannot build a URL.
        self.url_build_error_handlers: list[t.Callable[[BuildError, str, dict[str, t.Any]], str]] = (
            TellingList()
        )
        #: What :meth:`teardown_appcontext` registered.
        self.teardown_appcontext_funcs: list[et.TeardownCallable] = TellingList()
        #: What :meth:`shell_context_processor` registered.
        self.shell_context_processors: list[et.ShellContextProcessorCallable] = TellingList()
        for registry in (self.blueprints, self.url_build_error_handlers, self.teardown_appcontext_funcs):
            t.cast("t.Any", registry).changed = changed

    def _tell_of_rules(self, url_map: Map, changed: t.Callable[[], None]) -> None:
        # Extensions add rules to the map itself, past the application.
        add = url_map.add

        def add_and_tell(rulefactory: t.Any) -> None:
            add(rulefactory)
            changed()

        vars(url_map)["add"] = add_and_tell

    def _check_setup_finished(self, f_name: str) -> None:
        if not self._got_first_request:
            return
        location = calling_line()
        raise SetupError(
            f"{location}: '{f_name}' was called on the application {self.name!r}, which has begun to "
            f"serve: its first request came, or a server has started it. Requests before and after would be answered "
            f"differently. The likely cause: the module is imported late, by a view or a command, or a view registers "
            f"something itself. Move the call to where the application is made, or import its module there, before "
            f"the server starts.",
            location,
        )

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
        """Register a URL rule, and the view of its endpoint.

        A view may carry the attributes ``methods``, ``required_methods`` and ``provide_automatic_options``.

        :param rule: the rule, ``"/users/<int:id>"``.
        :param endpoint: what ``url_for`` calls it; by default the name of the view.
        :param view_func: the view; without it, one is given later with :meth:`endpoint`.
        :param provide_automatic_options: whether OPTIONS is answered without asking the view; by default when
            the rule does not name OPTIONS and ``PROVIDE_AUTOMATIC_OPTIONS`` is set.
        :param options: for :class:`werkzeug.routing.Rule`: ``methods``, ``defaults``, ``subdomain`` or ``host``,
            ``strict_slashes``, ``merge_slashes``, ``redirect_to``, ``alias``, ``build_only``.
        """
        if isinstance(view_func, type) and hasattr(view_func, "as_view"):
            self._refuse_view(_needs_as_view(rule, view_func))
        if endpoint is None:
            endpoint = endpoint_from_view_func(view_func)
        methods = _methods_of(rule, options.pop("methods", None), view_func)
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = "OPTIONS" not in methods and bool(
                self.config["PROVIDE_AUTOMATIC_OPTIONS"]
            )
        methods |= {name.upper() for name in getattr(view_func, "required_methods", None) or ()}
        if provide_automatic_options:
            methods.add("OPTIONS")

        known = self.view_functions.get(endpoint)
        if view_func is not None and known is not None and known != view_func:
            raise AssertionError(_endpoint_taken(rule, endpoint, known, view_func))
        try:
            url_rule: t.Any = self.url_rule_class(rule, endpoint=endpoint, methods=methods, **options)
            url_rule.provide_automatic_options = provide_automatic_options
            # Preprocessors may give a view what its rule does not.
            if "{" in rule and not any(self.url_value_preprocessors.values()):
                self._refuse_mistaken_braces(url_rule, view_func)
            self.url_map.add(url_rule)
        except (TypeError, LookupError) as error:
            if explained := self._explain_rule(rule, options, error):
                raise type(error)(explained) from error
            raise
        if view_func is not None:
            self.view_functions[endpoint] = view_func
        self._thaw()

    def _explain_rule(
        self, rule: str, options: dict[str, t.Any], error: TypeError | LookupError
    ) -> str | None:
        """Return a message for an option or a converter that Werkzeug does not know; ``None`` for other errors."""
        if type(error) is TypeError:
            known = inspect.signature(self.url_rule_class).parameters
            unknown = [name for name in options if name not in known]
            if not unknown or any(one.kind is one.VAR_KEYWORD for one in known.values()):
                return None
            return (
                f"The rule {rule!r} was given {unknown[0]}={options[unknown[0]]!r}, which is no option of a rule. There are "
                f"{', '.join(sorted({*known} - {'string', 'endpoint'}))}. What is to be sent, its status for example, is "
                "what the view returns: return value, 201."
            )
        if type(error) is not LookupError:
            return None
        found = re.fullmatch(r"the converter '(\w+)' does not exist", str(error))
        if found is None:
            return None
        # 'default' is the one of a variable that names none.
        converters = sorted({*self.url_map.converters} - {"default"})
        names = "|".join(map(re.escape, {*converters, *_CONVERTERS_ELSEWHERE}))
        if turned := re.search(rf"<{found[1]}(?:\(.*?\))?:({names})>", rule):
            name = _CONVERTERS_ELSEWHERE.get(turned[1], turned[1])
            fix = f"The converter comes first: '<{name}:{found[1]}>'."
        elif found[1] in _CONVERTERS_ELSEWHERE:
            name = _CONVERTERS_ELSEWHERE[found[1]]
            mended = re.sub(rf"<{found[1]}(?=[:(])", f"<{name}", rule)
            fix = f"It is called {name!r} here: {mended!r}."
        else:
            fix = f"Add one of your own before the rule: app.url_map.converters[{found[1]!r}] = a class."
        return (
            f"The rule {rule!r} asks for the converter {found[1]!r}, and there is none of that name. There are "
            f"{', '.join(converters)}. {fix}"
        )

    def _refuse_mistaken_braces(self, rule: Rule, view_func: t.Any) -> None:
        """Refuse a rule whose braces stand for a parameter of its view, as in FastAPI, where nothing else gives it."""
        parts = list(_PARTS_WITH_NAMES.finditer(rule.rule))
        given = {part["given"] for part in parts} | {*(rule.defaults or ())}
        # The handler of a WebSocket is wrapped by Erlen itself, which gives it no more.
        view = getattr(view_func, "__wrapped__", view_func) if rule.websocket else view_func
        needed = _needed_parameters(view) - given
        meant = [part["meant"] for part in parts if part["meant"] in needed]
        if meant:
            self._refuse_view(
                f"The rule {rule.rule!r} has braces, which stand for themselves, and nothing gives its view "
                f"{source_line(view_func)} the argument {meant[0]!r}. A variable part has angle brackets: "
                f"{_PARTS_WITH_NAMES.sub(_with_angle_brackets, rule.rule)!r}."
            )

    def _refuse_view(self, message: str) -> None:
        raise TypeError(message)

    def _add_static_rule(self, static_host: str | None = None) -> None:
        """Register the route of the static files, if there is a folder of them.

        :param static_host: the host that serves them; given exactly when hosts are matched.
        """
        if not self.has_static_folder:
            return
        if bool(static_host) != self.url_map.host_matching:
            raise AssertionError(
                f"static_host={static_host!r} does not go with host_matching={self.url_map.host_matching}: a rule that "
                f"is matched by host needs one, others cannot have one. Pass both, host_matching=True and "
                f"static_host='static.example.com', or neither; without static files, static_folder=None."
            )
        # A weak reference, so that the route does not keep the application alive.
        owner = weakref.ref(self)

        def static(filename: str) -> t.Any:
            return t.cast("t.Any", owner()).send_static_file(filename)

        rule = f"{self.static_url_path}/<path:filename>"
        self.add_url_rule(rule, endpoint="static", view_func=static, host=static_host)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Register a blueprint, and those nested in it.

        :param blueprint: the blueprint.
        :param options: ``name``, ``url_prefix``, ``subdomain``, ``url_defaults``, ``cli_group`` override what the
            blueprint says; others reach :class:`BlueprintSetupState.options <erlen.blueprints.BlueprintSetupState>`.
        """
        blueprint.register(self, options)

    def iter_blueprints(self) -> t.ValuesView[Blueprint]:
        """Return the registered blueprints in the order of their registration."""
        return self.blueprints.values()

    # Templates

    def _add_template_helper(self, kind: str, name: t.Any, f: t.Any = None) -> t.Any:
        """Put a function among the filters, tests or globals; return the decorator when there is none yet."""
        if f is None and callable(name):
            f, name = name, None
        if f is None:
            return lambda function: self._add_template_helper(kind, name, function)
        getattr(self.jinja_env, kind)[name or f.__name__] = f
        return f

    @t.overload
    def template_filter(self, name: TemplateFilter) -> TemplateFilter: ...
    @t.overload
    def template_filter(self, name: str | None = None) -> t.Callable[[TemplateFilter], TemplateFilter]: ...
    @setupmethod
    def template_filter(self, name: t.Any = None) -> t.Any:
        """Decorate a template filter.

        :param name: the filter's name; the function's by default.
        """
        return self._add_template_helper("filters", name)

    @setupmethod
    def add_template_filter(self, f: et.TemplateFilterCallable, name: str | None = None) -> None:
        """Register a template filter; :meth:`template_filter` as a call.

        :param f: takes the value, and the arguments of the filter.
        :param name: its name in templates; the function's by default.
        """
        self._add_template_helper("filters", name, f)

    @t.overload
    def template_test(self, name: TemplateTest) -> TemplateTest: ...
    @t.overload
    def template_test(self, name: str | None = None) -> t.Callable[[TemplateTest], TemplateTest]: ...
    @setupmethod
    def template_test(self, name: t.Any = None) -> t.Any:
        """Decorate a template test.

        :param name: the test's name; the function's by default.
        """
        return self._add_template_helper("tests", name)

    @setupmethod
    def add_template_test(self, f: et.TemplateTestCallable, name: str | None = None) -> None:
        """Register a template test; :meth:`template_test` as a call.

        :param f: takes the value, and returns whether it passes.
        :param name: its name in templates; the function's by default.
        """
        self._add_template_helper("tests", name, f)

    @t.overload
    def template_global(self, name: TemplateGlobal) -> TemplateGlobal: ...
    @t.overload
    def template_global(self, name: str | None = None) -> t.Callable[[TemplateGlobal], TemplateGlobal]: ...
    @setupmethod
    def template_global(self, name: t.Any = None) -> t.Any:
        """Decorate a function that templates can call.

        :param name: its name in templates; the function's by default.
        """
        return self._add_template_helper("globals", name)

    @setupmethod
    def add_template_global(self, f: et.TemplateGlobalCallable, name: str | None = None) -> None:
        """Register a function that templates can call; :meth:`template_global` as a call.

        :param f: the function.
        :param name: its name in templates; the function's by default.
        """
        self._add_template_helper("globals", name, f)

    # Contexts

    @setupmethod
    def teardown_appcontext(self, f: Teardown) -> Teardown:
        """Run a function when a context ends: after a request, a command, or an ``app_context()`` block.

        :param f: takes the unhandled exception or ``None``; what it returns is ignored.
        """
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(self, f: ShellContextProcessor) -> ShellContextProcessor:
        """Add the names in the dict that a function returns to the interactive shell.

        :param f: takes nothing and returns the dict; called when the shell starts. Not an ``async`` function.
        """
        refuse_async(
            f,
            "shell_context_processor",
            "the shell takes its names before anything can be awaited",
            "Write 'def' in place of 'async def'. The prompt itself knows 'await': return the async function as a "
            "name, and call it there.",
        )
        self.shell_context_processors.append(f)
        return f


def _methods_of(rule: str, methods: t.Any, view_func: t.Any) -> set[str]:
    """Return the methods of a rule in capitals: those given, else those of the view, else GET."""
    if methods is None:
        methods = getattr(view_func, "methods", None) or ("GET",)
    if isinstance(methods, str):
        raise TypeError(
            f"The rule {rule!r} was given methods={methods!r}, a string, which would be read letter by letter. "
            f"Pass a list: @app.route({rule!r}, methods=[{methods!r}])."
        )
    return {name.upper() for name in methods}


def _needs_as_view(rule: str, view: type) -> str:
    return (
        f"The rule {rule!r} was given the class {view.__qualname__!r} as its view. A class is made a view by "
        f"'as_view': add_url_rule({rule!r}, view_func={view.__name__}.as_view({view.__name__.lower()!r}))."
    )


def _needed_parameters(view_func: t.Any) -> set[str]:
    """Return the names of the arguments that a view is certain to need: none where a decorator may give them."""
    if hasattr(view_func, "__wrapped__"):
        return set()
    try:
        parameters = inspect.signature(view_func).parameters.values()
    except (TypeError, ValueError, NameError):
        # From Python 3.14 on, names in annotations are looked up here.
        return set()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {one.name for one in parameters if one.kind in named and one.default is one.empty}


def _with_angle_brackets(part: re.Match[str]) -> str:
    if part["given"]:
        return part[0]
    converter = _CONVERTERS_ELSEWHERE.get(part["converter"], part["converter"])
    return f"<{converter}:{part['meant']}>" if converter else f"<{part['meant']}>"


def _endpoint_taken(rule: str, endpoint: str, known: t.Any, view_func: t.Any) -> str:
    return (
        f"The rule {rule!r} would give the endpoint {endpoint!r} to {source_line(view_func)}, but it belongs to "
        f"{source_line(known)}. Two views of one name, or a decorator without 'functools.wraps', are the likely "
        f"cause. Rename one, or name the endpoint: @app.route({rule!r}, endpoint='{endpoint.rpartition('.')[2]}_2')."
    )
