"""Long jobs at the desk that go on while their visitor looks at something else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from explorer.desk import desk
from explorer.errors import Cancelled, ExplorerError, ModelError

Step = TypeVar("Step")


class Background(Generic[Step]):
    """A job whose steps are worked out one after the other at the desk; asked for the latest.

    It ends by itself, when it is cancelled, when its session leaves the desk, or with an error.

    Attributes:
        latest: the last step so far; None before the first.
        steps: how many there have been.
        error: why it ended before its end; None where it did not.
    """

    def __init__(self, job: Iterator[Step], owner: str, name: str = "job") -> None:
        self.latest: Step | None = None
        self.steps = 0
        self.error: ExplorerError | None = None
        self._left = threading.Event()
        self._job, self._owner, self._name = job, owner, name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether further steps may come."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """No further step is begun."""
        self._left.set()

    def wait(self, seconds: float) -> None:
        """Until it has ended, or for so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        steps: Any = desk().stream(self._job, owner=self._owner)
        try:
            for step in steps:
                self.latest = step
                self.steps += 1
                if self._left.is_set():
                    raise Cancelled(f"The {self._name} was cancelled.")
        except ExplorerError as error:
            self.error = error
        except Exception as error:  # whatever fails in a kernel, the visitor is told
            cause = str(error).strip().partition("\n")[0][:200] or type(error).__name__
            self.error = ModelError(f"The {self._name} failed: {cause}")
        finally:
            steps.close()
