"""Two questions that a load balancer or an orchestrator asks."""

from __future__ import annotations

from redis.exceptions import RedisError

from erlen import Blueprint, current_app
from erlen.typing import ResponseReturnValue

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> ResponseReturnValue:
    """Say that this process answers. Where it does not, it has to be replaced."""
    return {"door": current_app.config["NAME"], "live": True}


@blueprint.get("/ready")
def ready() -> ResponseReturnValue:
    """Say whether requests may be sent here now. A process without Redis is not replaced, as that would not help."""
    try:
        current_app.extensions["redis"].ping()
    except RedisError:
        return {"door": current_app.config["NAME"], "ready": False, "missing": ["redis"]}, 503
    return {"door": current_app.config["NAME"], "ready": True}
