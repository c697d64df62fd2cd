"""The command line: ``erlen run``, ``erlen shell``, ``erlen routes``, and the commands of applications.

``groups`` is needed by the scaffold and runs this file; so all of this package imports only what lies below the
scaffold, and receives the application from the user's module.
"""

from __future__ import annotations

from ..helpers import get_debug_flag as get_debug_flag
from ..helpers import get_load_dotenv as get_load_dotenv
from .commands import routes_command as routes_command
from .commands import shell_command as shell_command
from .environment import load_dotenv as load_dotenv
from .groups import AppGroup as AppGroup
from .groups import F as F
from .groups import with_appcontext as with_appcontext
from .locate import NoAppException as NoAppException
from .locate import ScriptInfo as ScriptInfo
from .locate import find_app_by_string as find_app_by_string
from .locate import find_best_app as find_best_app
from .locate import locate_app as locate_app
from .locate import pass_script_info as pass_script_info
from .locate import prepare_import as prepare_import
from .parameters import CertParamType as CertParamType
from .parameters import SeparatedPathType as SeparatedPathType
from .program import ErlenGroup as ErlenGroup
from .program import FlaskGroup as FlaskGroup
from .program import cli as cli
from .program import get_version as get_version
from .program import main as main
from .program import version_option as version_option
from .serving import run_command as run_command
from .serving import show_server_banner as show_server_banner
from .serving import stop_serving as stop_serving

__all__ = [
    "AppGroup",
    "CertParamType",
    "ErlenGroup",
    "FlaskGroup",
    "NoAppException",
    "ScriptInfo",
    "SeparatedPathType",
    "cli",
    "find_app_by_string",
    "find_best_app",
    "get_version",
    "load_dotenv",
    "locate_app",
    "main",
    "pass_script_info",
    "prepare_import",
    "routes_command",
    "run_command",
    "shell_command",
    "show_server_banner",
    "version_option",
    "with_appcontext",
]
