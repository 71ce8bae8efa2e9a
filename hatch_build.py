"""Build hook: put the shipped rules and models inside the wheel, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataHook(BuildHookInterface):
    """Map rules/ and models/ to moderation/_data in a standard wheel.

    An editable install reads the checkout itself; copying there would leave stale data behind.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the forced inclusions for a standard wheel."""
        if version != "standard":
            return
        for name in ("rules", "models"):
            source = Path(self.root) / name
            if not source.is_dir():
                raise FileNotFoundError(f"cannot build the wheel: expected the folder {source}")
            build_data["force_include"][str(source)] = f"moderation/_data/{name}"
