import socket
import sys

import pytest

from fabsight.extras import need
from fabsight.task import FabsightError


def test_a_present_module_is_imported():
    assert need("xml.dom", extra="train") is sys.modules["xml.dom"]


def test_an_absent_module_names_the_command():
    with pytest.raises(FabsightError, match=r"pip install 'fabsight\[cad\]'") as caught:
        need("no_such_kernel.shapes", extra="cad")
    assert "no_such_kernel" in str(caught.value)


def test_a_module_that_lacks_its_own_dependency_names_both(tmp_path, monkeypatch):
    (tmp_path / "halfway_there.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FabsightError, match=r"halfway_there .and its not_there_at_all\.?"):
        need("halfway_there", extra="train")


def test_a_broken_module_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("raise ZeroDivisionError('inside')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError, match="inside"):
        need("broken_inside", extra="train")


def test_tests_reach_loopback_and_nothing_else():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        for call in (
            lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
            lambda: socket.create_connection(("example.com", 80), timeout=1),
            lambda: datagrams.sendto(b"x", ("192.0.2.1", 53)),
        ):
            with pytest.raises(AssertionError, match="a test reached for the network"):
                call()
