"""``ovms chat`` against a small server that streams."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ovms_core.cli.chat.conversation import Conversation, chatting_model
from ovms_core.cli.client import Client, ServerError

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]


class ChatServer(ThreadingHTTPServer):
    """Echoes the last message, word by word.

    ``think`` thinks first, ``endless`` never ends, ``broken`` ends in an error frame, ``killed`` without any ending.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.models: list[dict[str, str]] = [
            {"id": "vectors", "task": "embeddings", "state": "ready"},
            {"id": "asleep", "task": "text_generation", "state": "loading"},
            {"id": "talker", "task": "text_generation", "state": "ready"},
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_GET(self) -> None:
        if self.path != "/v3/models":
            self._json(404, {"error": {"message": f"There is no {self.path} here."}})
        elif self.headers.get("authorization") == "Bearer wrong":
            self._json(401, {"error": {"message": "The API key is wrong."}})
        else:
            self._json(200, {"object": "list", "data": self.server.models})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            self._answer(request["messages"][-1]["content"])
        except OSError:
            self.server.left.set()

    def _answer(self, text: str) -> None:
        self._event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        self.wfile.write(b": ping\n\n")
        if text.startswith("think"):
            self._event({"choices": [{"delta": {"reasoning_content": "hm ", "reasoning": "hm "}}]})
            self._event({"choices": [{"delta": {"reasoning": "hm"}}]})
        for word in text.split():
            self._event({"choices": [{"delta": {"content": f"{word} "}}]})
        while text == "endless":
            self._event({"choices": [{"delta": {"content": "more "}}]})
        if text == "broken":
            self._event({"error": {"message": "The engine has died."}})
        if text != "killed":
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, document: object) -> None:
        self.wfile.write(b"data: " + json.dumps(document).encode() + b"\n\n")

    def _json(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_every_piped_line_is_a_turn(ovms: Ovms, server: ChatServer) -> None:
    finished = ovms("chat", "--url", server.url, "--system", "Be brief.", stdin="hello there\n\nand again\n")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "hello there \nand again \n", "")
    assert server.requests[1] == {
        "model": "talker",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello there"},
            {"role": "assistant", "content": "hello there "},
            {"role": "user", "content": "and again"},
        ],
        "stream": True,
    }


def test_reset_forgets_and_quit_ends(ovms: Ovms, server: ChatServer) -> None:
    finished = ovms("chat", "--url", server.url, "--model", "mine", stdin="one\n/reset\ntwo\n/quit\nthree\n")
    assert finished.stdout == "one \ntwo \n"
    assert [request["messages"] for request in server.requests] == [
        [{"role": "user", "content": "one"}],
        [{"role": "user", "content": "two"}],
    ]


def test_an_error_in_the_middle_ends_piped_input_with_exit_status_1(ovms: Ovms, server: ChatServer) -> None:
    finished = ovms("chat", "--url", server.url, stdin="broken\nnever asked\n")
    assert (finished.returncode, finished.stderr) == (1, "ovms: The engine has died.\n")
    assert len(server.requests) == 1


def test_an_answer_that_ends_early_is_not_taken_for_a_whole_one(ovms: Ovms, server: ChatServer) -> None:
    finished = ovms("chat", "--url", server.url, stdin="killed\n")
    assert (finished.returncode, finished.stdout) == (1, "killed ")
    assert "broke in the middle of the answer: it ended early." in finished.stderr


def test_a_model_cannot_steer_the_terminal(ovms: Ovms, server: ChatServer) -> None:
    assert ovms("chat", "--url", server.url, stdin="a\x1b[31mb\x07c\n").stdout == "a[31mbc \n"


def test_piped_answers_leave_the_thought_out(ovms: Ovms, server: ChatServer) -> None:
    assert ovms("chat", "--url", server.url, stdin="think twice\n").stdout == "think twice \n"


def test_a_thought_is_shown_in_a_terminal_and_not_remembered(
    environment: dict[str, str], server: ChatServer, tmp_path: Path
) -> None:
    with terminal(environment, tmp_path, "chat", "--url", server.url) as (process, keyboard):
        keyboard(b"think twice\n")
        read_until(process, "hm hm\n\nthink twice")
        keyboard(b"/quit\n")
        read_until(process, None)
    conversation = Conversation(Client(server.url), "talker")
    assert list(conversation.ask("think")) == ["hm ", "hm", "think "]
    list(conversation.ask("next"))
    assert server.requests[-1]["messages"][1] == {"role": "assistant", "content": "think "}


def test_a_wrong_key_is_one_line_that_says_where_it_goes(ovms: Ovms, server: ChatServer) -> None:
    finished = ovms("chat", "--url", server.url, OVMS_API_KEY="wrong", stdin="")
    assert finished.returncode == 2
    assert finished.stderr == "ovms: The API key is wrong. Give it with --api-key or OVMS_API_KEY.\n"


def test_no_server_is_one_line_that_says_how_to_start_one(ovms: Ovms) -> None:
    finished = ovms("chat", "--url", "127.0.0.1:9", stdin="")
    assert finished.returncode == 2
    assert "start one with 'ovms serve'" in finished.stderr


def test_ctrl_c_stops_the_answer_and_the_conversation_goes_on(
    environment: dict[str, str], server: ChatServer, tmp_path: Path
) -> None:
    with terminal(environment, tmp_path, "chat", "--url", server.url) as (process, keyboard):
        keyboard(b"endless\n")
        read_until(process, "more more")
        process.send_signal(signal.SIGINT)
        read_until(process, "(stopped)")
        assert server.left.wait(10)
        keyboard(b"still here\n")
        read_until(process, "still here")
        keyboard(b"/quit\n")
        read_until(process, None)
    assert process.returncode == 0


@contextmanager
def terminal(
    environment: dict[str, str], folder: Path, *words: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[bytes], object]]]:
    """``ovms`` whose stdin is a terminal; yields the process, and a function that types."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ovms_core.cli", *words]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        try:
            yield process, lambda typed: os.write(ours, typed)
        finally:
            process.kill()
            os.close(ours)


def read_until(process: subprocess.Popen[str], wanted: str | None) -> None:
    """Read the output up to `wanted`, or to its end."""
    assert process.stdout is not None
    seen = ""
    while wanted is None or wanted not in seen:
        character = process.stdout.read(1)
        if not character:
            assert wanted is None, f"ended after: {seen}"
            process.wait(10)
            return
        seen += character


# -- the parts


def test_closing_an_answer_closes_the_connection_and_keeps_what_came(server: ChatServer) -> None:
    conversation = Conversation(Client(server.url), "talker")
    pieces = conversation.ask("endless")
    assert next(pieces) == "endless "
    pieces.close()
    assert server.left.wait(10)
    list(conversation.ask("next"))
    assert server.requests[1]["messages"][1] == {"role": "assistant", "content": "endless "}


def test_a_ready_model_that_chats_is_chosen(server: ChatServer) -> None:
    assert chatting_model(Client(server.url)) == "talker"


def test_without_a_model_that_chats_the_way_to_one_is_named(server: ChatServer) -> None:
    server.models = server.models[:1]
    with pytest.raises(ServerError, match="ovms serve --starter"):
        chatting_model(Client(server.url))


def test_a_prefix_in_the_url_is_used(server: ChatServer) -> None:
    with pytest.raises(ServerError, match=r"There is no /v1/models here\."):
        Client(f"{server.url}/v1/").get("/models")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ServerError, match="is no address of a server"):
        Client("ftp://example.org")


def test_the_states_of_a_running_servers_models_are_shown(ovms: Ovms, server: ChatServer) -> None:
    assert json.loads(ovms("models", "--json", "--url", server.url).stdout)["served"] == server.models
    assert "talker" in ovms("models", "--url", server.url).stdout
