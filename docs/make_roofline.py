"""Writes docs/roofline.md: python docs/make_roofline.py"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    sys.path.insert(0, str(HERE))
    from claims.page import page

    (HERE / "roofline.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
