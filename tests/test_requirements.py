import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PYPROJECT["project"]["dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
TEST = [*RUN, *GROUPS["test"], *GROUPS["lint"]]


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, str]:
    """The locked version of each package."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock_text(name), re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "requirement"),
    [("run", text) for text in RUN] + [("test", text) for text in TEST],
)
def test_lock_satisfies_pyproject(name: str, requirement: str) -> None:
    wanted = Requirement(requirement)

    assert pins(name)[canonicalize_name(wanted.name)] in wanted.specifier


def test_test_lock_contains_the_run_lock() -> None:
    assert pins("run").items() <= pins("test").items()


@pytest.mark.parametrize("name", ["run", "test"])
def test_every_package_has_hashes(name: str) -> None:
    blocks = re.split(r"^(?=\S)", lock_text(name), flags=re.MULTILINE)[1:]

    assert len(blocks) == len(pins(name))
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("name", ["run", "test"])
def test_lock_names_no_place_to_download_from(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host", lock_text(name))
