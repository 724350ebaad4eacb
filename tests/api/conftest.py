"""Starts the program as a person would, and hands the tests a client for it."""

import httpx2
import openai
import pytest

from program import Program


@pytest.fixture
def program(tmp_path):
    """A program that each test starts, stops and kills by itself."""
    program = Program(tmp_path)
    yield program
    program.kill()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One running program for all tests that only talk to it."""
    program = Program(tmp_path_factory.mktemp("running"))
    program.start()
    yield program
    assert program.alive(), program.log()
    assert program.stop() == 0, program.log()


@pytest.fixture
def http(running):
    """Requests as they are, without an SDK between."""
    with httpx2.Client(base_url=running.url, timeout=120) as client:
        yield client


@pytest.fixture
def client(running):
    return sdk(running)


def sdk(program):
    """The official SDK; it does not try again by itself, so that a test sees each answer."""
    return openai.OpenAI(base_url=f"{program.url}/v1", api_key="unused", max_retries=0, timeout=120)
