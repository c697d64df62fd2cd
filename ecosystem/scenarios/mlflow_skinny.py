"""A tracking server: experiments, runs and their numbers, searches, artifacts, models and stages, GraphQL, its own library."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from sqlalchemy import Engine, event

from serving import serving

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["mlflow-skinny", "graphene"]
APPLICATION = True

# Ids of runs, times in milliseconds, and entity tags of files, which have their time and folder in them.
VARIES = (
    (r"\b[\da-f]{32}\b", "<id>"),
    (r"(?<=\D)1\d{12}(?=\D)", "<time>"),
    (r'"\d{10}\.\d+-(\d+)-\d+"', r'"<time>-\1-<path>"'),
)

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@event.listens_for(Engine, "connect")
def do_not_wait_for_the_disk(connection: t.Any, record: t.Any) -> None:
    # There are more than 60 migrations before the first table can be used.
    connection.execute("pragma synchronous = off")


def make_app(folder: Path) -> Flask:
    (folder / "artifacts").mkdir()
    database = f"sqlite:///{folder}/tracking.db"
    # As `mlflow server` hands its options to the process that serves.
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_TRACKING_URI": database,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
    }
    # It reads them when it is imported.
    from mlflow.server import app

    return app


def play(visitor: Visitor) -> None:
    assert visitor.get("/health").text == "OK"
    assert visitor.get("/version").text.startswith("3.")
    assert visitor.get("/nothing").status_code == 404
    experiment = experiments(visitor)
    run = runs(visitor, experiment)
    artifacts(visitor, experiment, run)
    models(visitor, run)
    ask_with_graphql(visitor, experiment)
    use_its_library(visitor)


def experiments(visitor: Visitor) -> str:
    create = f"{API}/experiments/create"
    experiment = visitor.post(create, json={"name": "kettles"}).json["experiment_id"]
    again = visitor.post(create, json={"name": "kettles"})
    assert (again.status_code, again.json["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert visitor.post(create, json={"name": 3}).json["error_code"] == "INVALID_PARAMETER_VALUE"
    found = visitor.get(f"{API}/experiments/get-by-name?experiment_name=kettles").json["experiment"]
    assert found["lifecycle_stage"] == "active"
    missing = visitor.get(f"{API}/experiments/get?experiment_id=99")
    assert (missing.status_code, missing.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    return experiment


def runs(visitor: Visitor, experiment: str) -> str:
    tags = [{"key": "maker", "value": "Zoë"}]
    start = {"experiment_id": experiment, "run_name": "first", "start_time": 1, "tags": tags}
    run = visitor.post(f"{API}/runs/create", json=start).json["run"]["info"]["run_id"]
    for step, degrees in enumerate([20.5, 60, 99.75]):
        metric = {"run_id": run, "key": "degrees", "value": degrees, "timestamp": step, "step": step}
        assert visitor.post(f"{API}/runs/log-metric", json=metric).json == {}
    parameter = {"run_id": run, "key": "litres", "value": "1.5"}
    assert visitor.post(f"{API}/runs/log-parameter", json=parameter).status_code == 200
    changed = visitor.post(f"{API}/runs/log-parameter", json=parameter | {"value": "2"})
    assert "Changing param values is not allowed" in changed.json["message"]
    data = visitor.get(f"{API}/runs/get?run_id={run}").json["run"]["data"]
    assert data["metrics"][0]["value"] == 99.75
    assert data["params"] == [{"key": "litres", "value": "1.5"}]
    history = visitor.get(f"{API}/metrics/get-history?run_id={run}&metric_key=degrees").json["metrics"]
    assert [one["value"] for one in history] == [20.5, 60, 99.75]
    search = {"experiment_ids": [experiment], "filter": "metrics.degrees > 90 and tags.maker = 'Zoë'"}
    assert len(visitor.post(f"{API}/runs/search", json=search).json["runs"]) == 1
    assert visitor.post(f"{API}/runs/search", json=search | {"filter": "degrees >"}).status_code == 400
    return run


def artifacts(visitor: Visitor, experiment: str, run: str) -> None:
    place = f"{ARTIFACTS}/{experiment}/{run}/artifacts"
    assert visitor.put(f"{place}/notes/steam.txt", data=b"it whistles\n" * 1000).status_code == 200
    assert visitor.get(f"{place}/notes/steam.txt").data == b"it whistles\n" * 1000
    sent = visitor.get(f"/get-artifact?run_id={run}&path=notes/steam.txt")
    assert "attachment" in sent.headers["Content-Disposition"]
    listed = visitor.get(f"{API}/artifacts/list?run_id={run}&path=notes").json["files"]
    assert listed == [{"path": "notes/steam.txt", "is_dir": False, "file_size": 12000}]
    assert visitor.get(f"/get-artifact?run_id={run}&path=../../../tracking.db").status_code == 400
    assert visitor.delete(f"{place}/notes/steam.txt").status_code == 200
    assert "files" not in visitor.get(f"{API}/artifacts/list?run_id={run}&path=notes").json


def models(visitor: Visitor, run: str) -> None:
    assert visitor.post(f"{API}/registered-models/create", json={"name": "boiler"}).status_code == 200
    source = {"name": "boiler", "source": f"runs:/{run}/model", "run_id": run}
    version = visitor.post(f"{API}/model-versions/create", json=source).json["model_version"]
    assert version["version"] == "1"
    alias = {"name": "boiler", "alias": "best", "version": "1"}
    assert visitor.post(f"{API}/registered-models/alias", json=alias).status_code == 200
    best = visitor.get(f"{API}/registered-models/alias?name=boiler&alias=best").json["model_version"]
    assert best["run_id"] == run
    assert visitor.get(f"{API}/registered-models/get?name=none").status_code == 404


def ask_with_graphql(visitor: Visitor, experiment: str) -> None:
    query = "query($id: String!) {mlflowGetExperiment(input: {experimentId: $id}) {experiment {name}}}"
    asked = {"query": query, "variables": {"id": experiment}}
    answer = visitor.post("/graphql", json=asked).json
    assert answer == {"data": {"mlflowGetExperiment": {"experiment": {"name": "kettles"}}}, "errors": None}


def use_its_library(visitor: Visitor) -> None:
    from mlflow import MlflowClient

    with serving(visitor.app) as host:
        client = MlflowClient(tracking_uri=f"http://{host}")
        experiment = client.create_experiment("pots")
        run = client.create_run(experiment, run_name="over HTTP")
        client.log_metric(run.info.run_id, "cups", 4)
        client.log_text(run.info.run_id, "grün", "colour.txt")
        client.set_terminated(run.info.run_id)
        [found] = client.search_runs([experiment], "metrics.cups = 4")
        visitor.note("run", [found.info.run_name, found.info.status, found.data.metrics])
        paths = [one.path for one in client.list_artifacts(run.info.run_id)]
    assert (visitor.folder / "artifacts" / experiment / run.info.run_id / "artifacts" / "colour.txt").exists()
    assert paths == ["colour.txt"]
