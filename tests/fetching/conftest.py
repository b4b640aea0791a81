"""Services that err cost no time here."""

import time

import pytest

from borderrisk.sources import downloads

PAUSES = 0.005
"""What waits are shortened to, as a share."""


@pytest.fixture(autouse=True, scope="package")
def impatient():
    """Wait less: fewer tries, short pauses, and a stall is soon one."""
    with pytest.MonkeyPatch.context() as patched:
        short = {"TRIES": 4, "CONNECT_S": 2, "PAUSE_S": 0.01, "STALL_S": 0.4, "LONGEST_S": 60}
        for name, value in short.items():
            patched.setattr(downloads, name, value)
        patched.setattr(downloads, "sleep", lambda seconds: time.sleep(seconds * PAUSES))
        yield
