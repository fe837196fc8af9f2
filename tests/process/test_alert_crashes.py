"""No alert is lost, whoever is killed: the short run. The long one is a benchmark."""

from pathlib import Path

import pytest

from benchmarks.alert_crashes import run

pytestmark = pytest.mark.process


def test_every_alert_arrives_in_order(tmp_path: Path) -> None:
    counted = run(tmp_path, kills=6, seed=4)

    assert counted["transitions"] > 20
    assert counted["messages"] > 10
