"""Kills web processes, workers and PostgreSQL under load, as often as you like.

    python -m benchmarks.crashes 200

It is the test ``tests/process/test_crashes.py``, only for longer: the set of acknowledged
deliveries is compared with what is stored. Exits with 0 when nothing was lost or doubled.
"""

import os
import sys
from pathlib import Path

import pytest

_TEST = Path(__file__).parent.parent / "tests" / "process" / "test_crashes.py"
_KILLS = "100"


def main(arguments: list[str]) -> int:
    """Run the test with so many kills."""
    os.environ["TACO_TEST_KILLS"] = arguments[0] if arguments else _KILLS
    return pytest.main(["-q", "-o", "log_cli=true", "--log-cli-level=info", str(_TEST)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
