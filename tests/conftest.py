import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and its BLAS are imported

import socket
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data kept beside the repository; tests skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data folder ../shared/data is not here")
    return SHARED


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Sockets reach loopback and files only."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _only_loopback(getattr(socket.socket, name)))


def _only_loopback(connect):
    def checked(self, address, *rest):
        host = address[0] if isinstance(address, tuple) else ""
        local = self.family == socket.AF_UNIX or str(host).startswith(LOOPBACK)
        assert local, f"a test reached for the network: {address!r}"
        return connect(self, address, *rest)

    return checked
