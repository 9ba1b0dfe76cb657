"""Makes tests/runs.py importable from every test, and says how hypothesis runs all of them."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# No test is about how long an example takes: on a machine that is busy a deadline fails tests at random.
settings.register_profile("sim", deadline=None)
settings.load_profile("sim")
