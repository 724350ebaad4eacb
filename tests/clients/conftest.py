"""One running program for clients that we did not write."""

import pytest
from program import Program


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("clients"))
    program.start()
    yield program
    assert program.stop() == 0, program.log()
