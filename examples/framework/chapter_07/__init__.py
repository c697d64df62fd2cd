"""Chapter 7: settings from outside, and what is kept of a visitor from one request to the next."""

from werkzeug.exceptions import abort as abort
from werkzeug.utils import redirect as redirect

from .app import Sapling as Sapling
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
from .templating import render_template as render_template
from .templating import render_template_string as render_template_string
from .wrappers import Request as Request
from .wrappers import Response as Response
