from __future__ import annotations

import errno
import json
import os
import tomllib
import typing as t
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.config import Config, ConfigAttribute


class Listener:
    def __init__(self, config: Config) -> None:
        self.calls = 0
        config.changed = self.called

    def called(self) -> None:
        self.calls += 1


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, {"A": 1})


def test_it_is_a_dict_of_its_defaults(config: Config) -> None:
    assert config == {"A": 1}
    assert repr(config) == "<Config {'A': 1}>"


def test_defaults_are_copied(tmp_path: Path) -> None:
    defaults = {"A": 1}
    Config(tmp_path, defaults)["B"] = 2
    assert defaults == {"A": 1}


MUTATIONS: dict[str, t.Callable[[Config], object]] = {
    "setitem": lambda config: config.__setitem__("B", 2),
    "delitem": lambda config: config.__delitem__("A"),
    "clear": lambda config: config.clear(),
    "pop": lambda config: config.pop("A"),
    "popitem": lambda config: config.popitem(),
    "setdefault": lambda config: config.setdefault("B", 2),
    "update": lambda config: config.update(B=2),
    "ior": lambda config: config.__ior__({"B": 2}),
    "from_mapping": lambda config: config.from_mapping(B=2),
    "from_object": lambda config: config.from_object(type("Settings", (), {"B": 2})),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_tells(config: Config, name: str) -> None:
    listener = Listener(config)
    before = dict(config)
    MUTATIONS[name](config)
    assert config != before
    assert listener.calls >= 1


def test_reading_does_not_tell(config: Config) -> None:
    listener = Listener(config)
    assert config["A"] == config.get("A") == 1
    assert config.get_namespace("A") == {"": 1}
    assert listener.calls == 0


def test_a_union_in_place_keeps_the_object(config: Config) -> None:
    same = config
    same |= {"B": 2}
    assert same is config
    assert type(config) is Config


def test_from_mapping_takes_upper_case_names(config: Config) -> None:
    assert config.from_mapping({"B": 2, "c": 3}, D=4, e=5) is True
    assert config == {"A": 1, "B": 2, "D": 4}


def test_from_mapping_takes_pairs(config: Config) -> None:
    config.from_mapping(t.cast("dict[str, int]", [("B", 2)]))
    assert config["B"] == 2


def test_from_object_takes_upper_case_attributes_inherited_ones_too(config: Config) -> None:
    class Base:
        B = 2

    class Settings(Base):
        C = 3
        lower = 4

    config.from_object(Settings)
    assert config == {"A": 1, "B": 2, "C": 3}


def test_from_object_imports_a_dotted_name(config: Config) -> None:
    config.from_object("errno")
    assert config["ENOENT"] == errno.ENOENT


def test_from_object_explains_a_name_that_cannot_be_imported(config: Config) -> None:
    with pytest.raises(ImportError, match=r"nothing\.here"):
        config.from_object("nothing.here")


def test_from_pyfile_runs_a_file_relative_to_the_root(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(
        "import os\nB = len('ab')\nHERE = os.path.basename(__file__)\nlower = 1\n", encoding="utf-8"
    )
    assert config.from_pyfile("settings.py") is True
    assert config == {"A": 1, "B": 2, "HERE": "settings.py"}


def test_from_pyfile_reads_the_encoding_the_file_declares(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_bytes("# coding: latin-1\nB = 'ü'\n".encode("latin-1"))
    config.from_pyfile("settings.py")
    assert config["B"] == "ü"


def test_from_pyfile_explains_a_missing_file(config: Config, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        config.from_pyfile("missing.py")
    assert raised.value.errno == errno.ENOENT
    text = str(raised.value)
    assert "Cannot load the configuration file (No such file or directory)" in text
    assert "pass 'silent=True' if it is optional" in text
    assert str(tmp_path / "missing.py") in text


@pytest.mark.parametrize("name", ["missing.py", ".", "file.py/below.py"])
def test_from_pyfile_is_silent_about_a_missing_file_when_asked(
    config: Config, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file.py").touch()
    assert config.from_pyfile(name, silent=True) is False
    assert config == {"A": 1}


def test_from_pyfile_shows_a_syntax_error_at_its_line(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("B = 1\nC = = 2\n", encoding="utf-8")
    with pytest.raises(SyntaxError) as raised:
        config.from_pyfile("settings.py", silent=True)
    assert (raised.value.filename, raised.value.lineno) == (str(tmp_path / "settings.py"), 2)


def test_from_file_loads_with_a_function(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"B": "ü", "lower": 1}), encoding="utf-8")
    (tmp_path / "settings.toml").write_text("C = 'ü'", encoding="utf-8")
    assert config.from_file("settings.json", json.load) is True
    assert config.from_file("settings.toml", tomllib.load, text=False) is True
    assert config == {"A": 1, "B": "ü", "C": "ü"}


def test_from_file_explains_a_missing_file(config: Config) -> None:
    with pytest.raises(FileNotFoundError, match="Cannot load the configuration file"):
        config.from_file("missing.json", json.load)
    assert config.from_file("missing.json", json.load, silent=True) is False


def test_from_file_explains_what_is_no_mapping(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(TypeError, match=r"made a list of .*settings\.json.*one object or table at its top"):
        config.from_file("settings.json", json.load)


def test_from_envvar_loads_the_named_file(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.py").write_text("B = 2", encoding="utf-8")
    monkeypatch.setenv("SETTINGS", str(tmp_path / "settings.py"))
    assert config.from_envvar("SETTINGS") is True
    assert config["B"] == 2


def test_from_envvar_explains_an_unset_variable(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SETTINGS", raising=False)
    assert config.from_envvar("SETTINGS", silent=True) is False
    with pytest.raises(RuntimeError, match=r"'SETTINGS' is not set.*pass 'silent=True'"):
        config.from_envvar("SETTINGS")


def test_from_envvar_is_silent_about_a_missing_file_when_asked(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETTINGS", "missing.py")
    assert config.from_envvar("SETTINGS", silent=True) is False
    with pytest.raises(FileNotFoundError):
        config.from_envvar("SETTINGS")


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in os.environ:
        if name.startswith(("ERLEN_", "FLASK_", "MINE_")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_from_prefixed_env_reads_json_or_text(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(
        monkeypatch, ERLEN_B="2", ERLEN_C="true", ERLEN_D="text", ERLEN_E='{"x": [1]}', FLASK_F="1"
    )
    assert config.from_prefixed_env() is True
    assert config == {"A": 1, "B": 2, "C": True, "D": "text", "E": {"x": [1]}}


def test_a_configuration_class_names_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    class OwnConfig(Config):
        env_prefix = "MINE"

    set_environment(monkeypatch, ERLEN_B="1", MINE_B="2")
    config = OwnConfig("")
    config.from_prefixed_env()
    assert config == {"B": 2}


def test_from_prefixed_env_goes_into_nested_dicts(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, MINE_NEW__in__ner="2", MINE_HAS__x="3", MINE_HAS__dict__y="4")
    config["HAS"] = {"kept": 1, "x": 0, "dict": {"z": 5}}
    config.from_prefixed_env("MINE")
    assert config["NEW"] == {"in": {"ner": 2}}
    assert config["HAS"] == {"kept": 1, "x": 3, "dict": {"y": 4, "z": 5}}


def test_from_prefixed_env_takes_another_loader(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, MINE_B="2")
    config.from_prefixed_env("MINE", loads=str)
    assert config["B"] == "2"


def test_from_prefixed_env_tells_when_only_a_nested_dict_changed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["HAS"] = {}
    listener = Listener(config)
    set_environment(monkeypatch, MINE_HAS__x="3")
    config.from_prefixed_env("MINE")
    assert listener.calls >= 1


def test_from_prefixed_env_explains_a_key_inside_of_what_is_no_dict(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, MINE_B="text", MINE_B__x="1")
    with pytest.raises(
        TypeError, match=r"'MINE_B__x' sets a key inside of 'B', but 'B' is already the str 'text'"
    ):
        config.from_prefixed_env("MINE")


def test_get_namespace(config: Config) -> None:
    config.update(MAIL_PORT=25, MAIL_HOST="x")
    assert config.get_namespace("MAIL_") == {"port": 25, "host": "x"}
    assert config.get_namespace("MAIL_", lowercase=False) == {"PORT": 25, "HOST": "x"}
    assert config.get_namespace("MAIL_", trim_namespace=False) == {"mail_port": 25, "mail_host": "x"}


class Holder:
    plain = ConfigAttribute[int]("A")
    converted: ConfigAttribute[str] = ConfigAttribute("A", get_converter=str)

    def __init__(self, config: Config) -> None:
        self.config = config


def test_an_attribute_stands_for_a_key(config: Config) -> None:
    holder = Holder(config)
    assert (holder.plain, holder.converted) == (1, "1")
    holder.plain = 2
    assert config["A"] == 2
    assert holder.converted == "2"


def test_an_attribute_of_the_class_is_the_descriptor() -> None:
    assert isinstance(Holder.plain, ConfigAttribute)
    assert Holder.plain.__name__ == "A"


def test_an_application_makes_its_configuration_of_its_class() -> None:
    class MyConfig(Config):
        pass

    class MyErlen(Erlen):
        config_class = MyConfig

    app = MyErlen("erlen_test", root_path=os.curdir)
    assert type(app.config) is MyConfig
    app.config["SECRET_KEY"] = "key"
    assert app.secret_key == "key"
