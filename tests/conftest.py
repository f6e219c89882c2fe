import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and its BLAS are imported

import re
import socket
from pathlib import Path

import hypothesis
import pytest

# Deadlines of single examples fail on a busy machine; tests that promise a time measure it.
hypothesis.settings.register_profile("fabsight", deadline=None)
hypothesis.settings.load_profile("fabsight")

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1|0\.0\.0\.0|::")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data kept beside the repository; tests skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data folder ../shared/data is not here")
    return SHARED


@pytest.fixture
def fabsight_(monkeypatch, capsys):
    """Run a command line on the toy tasks: (exit code, stdout, stderr)."""
    # Imported here: what is imported before the tests are set up has no shape checks.
    from tests.command_line import ended
    from tests.toys import TOYS

    import fabsight

    monkeypatch.setattr(fabsight, "TASKS", TOYS, raising=False)

    return lambda *arguments: ended(capsys, arguments)


@pytest.fixture
def bars(tmp_path):
    """A folder of three inputs of the toy task `bar`."""
    from tests.toys import write_bars

    write_bars(tmp_path / "bars", 3)
    return tmp_path / "bars"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Sockets reach loopback and files only; names other than localhost are not looked up."""
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, _only_loopback(getattr(socket.socket, name)))
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *rest, **options):
        _check(host)
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _only_loopback(call):
    def checked(self, *arguments):
        address = arguments[-1]
        if self.family != socket.AF_UNIX:
            _check(address[0] if isinstance(address, tuple) else address)
        return call(self, *arguments)

    return checked


def _check(host):
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    assert LOOPBACK.fullmatch(name), f"a test reached for the network: {name}"
