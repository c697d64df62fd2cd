"""Chapter 12: what can be decided before the first request is not decided in each."""

from werkzeug.exceptions import abort as abort
from werkzeug.utils import redirect as redirect

from .app import Sapling as Sapling
from .blueprints import Blueprint as Blueprint
from .cli import with_appcontext as with_appcontext
from .config import Config as Config
from .ctx import Context as Context
from .ctx import copy_current_context as copy_current_context
from .globals import current_app as current_app
from .globals import g as g
from .globals import request as request
from .globals import session as session
from .helpers import flash as flash
from .helpers import get_flashed_messages as get_flashed_messages
from .helpers import url_for as url_for
from .signals import got_request_exception as got_request_exception
from .signals import request_finished as request_finished
from .signals import request_started as request_started
from .signals import template_rendered as template_rendered
from .templating import render_template as render_template
from .templating import render_template_string as render_template_string
from .testing import CommandRunner as CommandRunner
from .testing import SaplingClient as SaplingClient
from .wrappers import Request as Request
from .wrappers import Response as Response
