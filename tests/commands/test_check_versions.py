"""The order of versions, and the table of known weaknesses."""

from __future__ import annotations

import itertools
import re
import typing as t
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.commands.check.dependencies import installed_versions, known, normalised
from erlen.commands.check.versions import is_within, version_key

packaging = pytest.importorskip("packaging.version")

DATE, ADVISORIES = known()

NUMBERS = st.integers(0, 12).map(str)
VERSIONS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "1!"]),
        st.lists(NUMBERS, min_size=1, max_size=4).map(".".join),
        st.one_of(
            st.just(""),
            st.builds("{}{}".format, st.sampled_from(["a", "b", "rc", ".alpha", "-c", "_pre"]), NUMBERS),
        ),
        st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from([".post", "-", "rev"]), NUMBERS)),
        st.one_of(st.just(""), st.builds(".dev{}".format, NUMBERS)),
    ),
)


@given(VERSIONS, VERSIONS)
def test_versions_are_ordered_as_pep_440_says(one: str, other: str) -> None:
    expected = packaging.Version(one), packaging.Version(other)
    assert (version_key(one) < version_key(other)) == (expected[0] < expected[1])
    assert (version_key(one) == version_key(other)) == (expected[0] == expected[1])


def test_versions_of_a_release_stand_in_their_order() -> None:
    ordered = [
        "1.0.dev1",
        "1.0a1.dev1",
        "1.0a1",
        "1.0b2",
        "1.0rc1",
        "1.0",
        "1.0.post1.dev1",
        "1.0.post1",
        "1.1",
        "1!0.1",
    ]
    keys = [version_key(one) for one in ordered]
    assert all(one < other for one, other in itertools.pairwise(keys))
    assert version_key("V1.0.0+local.7") == version_key("1")


@pytest.mark.parametrize("text", ["", "2004d", "1.0-", "1..0", "one", "1.0+", "١.٠"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no version as PEP 440 has them"):
        version_key(text)


@pytest.mark.parametrize(
    ("version", "within"),
    [
        ("2.3.7", True),
        ("2.3.8", False),
        ("3.0.0", True),
        ("3.0.1rc1", True),
        ("3.0.1", False),
        ("3.1", False),
    ],
)
def test_a_version_is_within_one_of_several_ranges(version: str, within: bool) -> None:
    assert is_within(version, ["<2.3.8", ">=3.0,<3.0.1"]) == within


def test_a_single_version_can_be_named() -> None:
    assert is_within("3.1", ["==3.1.0"])
    assert not is_within("3.1.1", ["==3.1.0"])


def test_a_condition_begins_with_an_operator() -> None:
    with pytest.raises(ValueError, match="'~=1.0' is no condition: it begins with one of >=, ==, <"):
        is_within("1.0", ["~=1.0"])


def test_the_table_has_a_date() -> None:
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", DATE)


@pytest.mark.parametrize("line", ADVISORIES, ids=[f"{one.package}-{one.ids[0]}" for one in ADVISORIES])
def test_a_line_of_the_table_is_sound(line: t.Any) -> None:
    assert line.package == normalised(line.package)
    assert line.ids
    assert all(re.fullmatch(r"CVE-(\d{4})-\d{4,}", one) for one in line.ids)
    assert all(one[4:8] <= DATE[:4] for one in line.ids)
    assert line.summary
    assert not line.summary.endswith(".")
    # What mends it has it no more, and something before it has it.
    assert not is_within(line.fixed, line.affected)
    assert is_within(f"{line.fixed}.dev0", line.affected) or is_within("3.1.0", line.affected)


@pytest.mark.parametrize(
    ("package", "version", "id"),
    [
        ("werkzeug", "3.1.3", "CVE-2025-66221"),
        ("werkzeug", "3.1.4", "CVE-2026-21860"),
        ("werkzeug", "3.1.5", "CVE-2026-27199"),
        ("flask", "2.2.4", "CVE-2023-30861"),
        ("flask", "3.1.0", "CVE-2025-47278"),
        ("flask", "3.1.2", "CVE-2026-27205"),
        ("starlette", "0.49.0", "CVE-2025-62727"),
        ("starlette", "0.24.0", "CVE-2023-30798"),
        ("python-multipart", "0.0.17", "CVE-2024-53981"),
        ("python-multipart", "0.0.21", "CVE-2026-24486"),
        ("flask-cors", "5.0.1", "CVE-2024-6866"),
        ("authlib", "1.6.6", "CVE-2026-28802"),
        ("orjson", "3.9.14", "CVE-2024-27454"),
    ],
)
def test_a_published_weakness_is_known(package: str, version: str, id: str) -> None:
    found = {
        one
        for line in ADVISORIES
        if line.package == package and is_within(version, line.affected)
        for one in line.ids
    }
    assert id in found


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("werkzeug", "3.1.6"),
        ("flask", "3.1.3"),
        ("urllib3", "1.21.1"),
        ("authlib", "1.6.7"),
        ("gunicorn", "23.0.0"),
    ],
)
def test_a_version_with_the_remedies_is_sound(package: str, version: str) -> None:
    lines = [line for line in ADVISORIES if line.package == package and is_within(version, line.affected)]
    assert [line.ids for line in lines if package != "urllib3"] == []
    assert "CVE-2026-21441" not in {one for line in lines for one in line.ids}


def test_what_is_installed_is_read_by_normalised_names() -> None:
    installed = installed_versions()
    assert installed["werkzeug"] == ("Werkzeug", metadata.version("werkzeug"))
    assert normalised("Flask_Security.Too") == "flask-security-too"
