"""Build hook: a wheel carries the experiments, and its commit in repjax/commit.txt."""

import subprocess
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface):
    """Adds to a wheel what an editable install finds in the repository itself."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Add experiments/ as repjax/experiments/, and the commit if git knows it."""
        if version == "editable":
            return
        # Not at the top: site-packages/experiments would shadow a user's own folder.
        build_data["force_include"]["experiments"] = "repjax/experiments"
        try:
            # A repository that does not track this file is another project's.
            self._git("ls-files", "--error-unmatch", Path(__file__).name)
            commit = self._git("describe", "--always", "--abbrev=40", "--dirty")
        except (OSError, subprocess.SubprocessError):
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name, "commit.txt")
        file.write_text(commit)
        build_data["force_include"][str(file)] = "repjax/commit.txt"

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()
