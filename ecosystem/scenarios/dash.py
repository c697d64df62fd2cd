"""A board of figures: its pages, layout and scripts, callbacks, plain and async, cookies, a download, failures, dev tools."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update, page_container
from dash.exceptions import PreventUpdate
from flask import Flask, session

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["dash", "plotly"]
APPLICATION = True

# When assets were written and where, how long a callback took, the hash of files that are watched, and an id that is signed.
VARIES = (
    (r"\?m=\d{10}\.\d+", "?m=<time>"),
    (r'"\d{10}\.\d+-(\d+)-\d+"', r'"<time>-\1-<path>"'),
    (r'"end_id":"\w{24}~\w{64}"', '"end_id":"<id>"'),
    (r"__dash_server;dur=\d+", "__dash_server;dur=<duration>"),
    (r'"reloadHash":"\w+"', '"reloadHash":"<hash>"'),
)

PAGES = {
    "overview": """\
import dash

dash.register_page(__name__, path="/", title="Overview", redirect_from=["/start"])
layout = dash.html.Div("All teas at a glance")
""",
    "tea": """\
import dash

dash.register_page(__name__, path_template="/tea/<name>", title=lambda name=None: f"Tea: {name}")


def layout(name=None, **query):
    return dash.html.Div(f"All about {name}, by {query.get('by')}")
""",
}


def make_app(folder: Path) -> Flask:
    for name in ("assets", "pages"):
        (folder / name).mkdir()
    (folder / "assets" / "paper.css").write_text("body { color: teal }")
    for name, source in PAGES.items():
        (folder / "pages" / f"{name}.py").write_text(source)
    server = Flask(__name__)
    server.secret_key = "only for this scenario"
    board = Dash(
        __name__,
        server=server,
        title="Tea board",
        use_pages=True,
        pages_folder=str(folder / "pages"),
        assets_folder=str(folder / "assets"),
    )
    board.layout = html.Div(
        [
            html.H1("Tea board"),
            dcc.Input(id="name", value="oolong"),
            dcc.Store(id="cups", data=1),
            html.Div(id="greeting"),
            dcc.Graph(id="sales"),
            dcc.Download(id="list"),
            html.Button("List", id="get-list"),
            html.Div([dcc.Input(id={"pot": number}, value=number) for number in (1, 2)]),
            html.Div(id="poured"),
            page_container,
        ]
    )

    @board.callback(
        Output("greeting", "children"),
        Output("sales", "figure"),
        Input("name", "value"),
        State("cups", "data"),
    )
    def show(name: str, cups: int) -> t.Any:
        if name == "nothing":
            raise PreventUpdate
        if name == "coffee":
            raise ValueError("This is a board of tea")
        session["last"] = name
        ctx.response.set_cookie("seen", name)
        figure = no_update if name == "same" else {"data": [{"type": "bar", "y": [cups, 2 * cups]}]}
        return f"{cups} of {name}, asked for by {ctx.triggered_id}", figure

    @board.callback(Output("list", "data"), Input("get-list", "n_clicks"), prevent_initial_call=True)
    def list_all(clicks: int) -> t.Any:
        return dcc.send_string("oolong\nsencha\n", "teas.txt")

    @board.callback(Output("poured", "children"), Input({"pot": ALL}, "value"))
    async def pour(values: list[int]) -> t.Any:
        return html.B(sum(values))

    @server.get("/api/last")
    def last() -> t.Any:
        return {"last": session.get("last")}

    return server


def play(visitor: Visitor) -> None:
    load(visitor)
    interact(visitor)
    turn_pages(visitor)
    develop(visitor)


def load(visitor: Visitor) -> None:
    """Do what a browser does first."""
    page = visitor.get("/").text
    assert "<title>Tea board</title>" in page
    assert '<meta property="og:title" content="Overview">' in page
    assert '<script id="_dash-config"' in page
    assert "assets/paper.css?m=" in page
    layout = visitor.get("/_dash-layout").json
    assert layout["props"]["children"][0] == {
        "props": {"children": "Tea board"},
        "type": "H1",
        "namespace": "dash_html_components",
    }
    dependencies = visitor.get("/_dash-dependencies").json
    assert "..greeting.children...sales.figure.." in [one["output"] for one in dependencies]
    # Scripts of the packages: under a name of their version, to keep, and under their own, with an entity tag.
    named = re.search(r"/_dash-component-suites/dash/html/[\w.]+\.js", page)[0]
    script = visitor.get(named)
    assert script.mimetype in {"text/javascript", "application/javascript"}
    assert script.cache_control.max_age == 31536000
    plain = re.sub(r"\.v[\w.]+?m\d+\.", ".", named)
    tag = visitor.get(plain).headers["ETag"]
    assert visitor.get(plain, headers={"If-None-Match": tag}).status_code == 304
    assert visitor.get("/assets/paper.css").text == "body { color: teal }"
    assert visitor.get("/assets/none.css").status_code == 404
    assert visitor.get("/_favicon.ico").mimetype in {"image/x-icon", "image/vnd.microsoft.icon"}


def update(visitor: Visitor, name: t.Any) -> t.Any:
    """Send what the page does when its field changes."""
    outputs = [{"id": "greeting", "property": "children"}, {"id": "sales", "property": "figure"}]
    change = {
        "output": "..greeting.children...sales.figure..",
        "outputs": outputs,
        "inputs": [{"id": "name", "property": "value", "value": name}],
        "changedPropIds": ["name.value"],
        "state": [{"id": "cups", "property": "data", "value": 3}],
    }
    return visitor.post("/_dash-update-component", json=change)


def interact(visitor: Visitor) -> None:
    shown = update(visitor, "sencha").json["response"]
    assert shown["greeting"] == {"children": "3 of sencha, asked for by name"}
    assert shown["sales"]["figure"]["data"] == [{"type": "bar", "y": [3, 6]}]
    assert visitor.client.get_cookie("seen").value == "sencha"
    assert visitor.get("/api/last").json == {"last": "sencha"}
    assert list(update(visitor, "same").json["response"]) == ["greeting"]
    assert update(visitor, "nothing").status_code == 204
    assert update(visitor, "coffee").status_code == 500

    click = {
        "output": "list.data",
        "outputs": {"id": "list", "property": "data"},
        "inputs": [{"id": "get-list", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["get-list.n_clicks"],
    }
    data = visitor.post("/_dash-update-component", json=click).json["response"]["list"]["data"]
    assert (data["filename"], data["content"]) == ("teas.txt", "oolong\nsencha\n")

    pots = [{"id": {"pot": number}, "property": "value", "value": 2 * number} for number in (1, 2)]
    pouring = {
        "output": "poured.children",
        "outputs": {"id": "poured", "property": "children"},
        "inputs": [pots],
        "changedPropIds": ['{"pot":1}.value'],
    }
    poured = visitor.post("/_dash-update-component", json=pouring).json["response"]["poured"]
    assert poured["children"]["props"] == {"children": 6}
    assert visitor.post("/_dash-update-component", data="no JSON").status_code == 415
    assert visitor.put("/_dash-update-component").status_code == 405


def turn_pages(visitor: Visitor) -> None:
    moved = visitor.get("/start")
    assert (moved.status_code, moved.location) == (301, "/")
    # The page is chosen by the browser, which then asks for its content.
    assert 'content="Tea: sencha"' in visitor.get("/tea/sencha?by=ada").text
    outputs = [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}]
    location = {
        "output": ".._pages_content.children..._pages_store.data..",
        "outputs": outputs,
        "inputs": [
            {"id": "_pages_location", "property": "pathname", "value": "/tea/sencha"},
            {"id": "_pages_location", "property": "search", "value": "?by=ada"},
        ],
        "changedPropIds": ["_pages_location.pathname", "_pages_location.search"],
    }
    content = visitor.post("/_dash-update-component", json=location).json["response"]
    assert content["_pages_store"]["data"] == {"title": "Tea: sencha"}
    assert content["_pages_content"]["children"]["props"]["children"] == "All about sencha, by ada"


def develop(visitor: Visitor) -> None:
    board = Dash("in_development", assets_folder=str(visitor.folder / "assets"))
    board.layout = lambda: html.Div([dcc.Input(id="number"), html.Div(id="half")])

    @board.callback(Output("half", "children"), Input("number", "value"))
    def halve(number: int) -> float:
        return 1 / number

    board.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
    board.server.debug = True
    developer = type(visitor)(board.server, visitor.protocol, visitor.folder, visitor.transcript, VARIES)
    assert '"show_undo_redo":false' in developer.get("/").text
    assert "reloadHash" in developer.get("/_reload-hash").json
    change = {
        "output": "half.children",
        "outputs": {"id": "half", "property": "children"},
        "inputs": [{"id": "number", "property": "value", "value": 0}],
        "changedPropIds": ["number.value"],
    }
    # The debugger's page, without the frames above the callback; its tokens and addresses are of this process.
    failed = developer.client.post("/_dash-update-component", json=change)
    assert failed.status_code == 500
    assert "ZeroDivisionError: division by zero" in failed.text
    visitor.note("frames", re.findall(r'<code class="function">(\w+)</code>', failed.text))
    change["inputs"][0]["value"] = 4
    answer = developer.post("/_dash-update-component", json=change)
    assert answer.json["response"] == {"half": {"children": 0.25}}
    assert answer.headers["Server-Timing"].startswith("__dash_server;dur=")
