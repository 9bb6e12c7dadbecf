"""The command: listens, says where, answers, stops on SIGTERM."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from deployments.offline_model.__main__ import main


def test_it_writes_where_it_listens_answers_and_stops_on_sigterm(tmp_path, ask):
    """A process of its own, as the demo starts it."""
    plays = tmp_path / "plays.json"
    plays.write_text('[{"match": {"schema": "none"}, "play": {"kind": "malformed"}}]')
    command = [
        sys.executable,
        "-m",
        "deployments.offline_model",
        "--port",
        "0",
        "--plays",
        str(plays),
        "--any-model",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert ask.message(url, {}, None, model="any").content[0].text.startswith("Here is what I found")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_the_ready_file_names_the_address_and_the_process(tmp_path, ask):
    """In this process, ended by its own SIGTERM: the file is whole when it is there."""
    ready = tmp_path / "ready.json"
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    said = []

    def talk():
        while not ready.exists():
            threading.Event().wait(0.01)
        found = json.loads(ready.read_bytes())
        said.append((found["pid"], ask.message(found["url"], {}, None).model))
        os.kill(os.getpid(), signal.SIGTERM)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        with pytest.raises(SystemExit) as ended:
            main(["--port", "0", "--ready-file", str(ready), "--latency", "0.001"])
    finally:
        talker.join()
        for number, handler in previous.items():
            signal.signal(number, handler)
    assert ended.value.code == 0
    assert said == [(os.getpid(), "offline-extractive")]


def test_a_wrong_file_or_a_taken_port_is_one_line_and_two(tmp_path, capsys):
    """Never a traceback."""
    assert main(["--plays", str(tmp_path / "missing.json")]) == 2
    wrong = tmp_path / "wrong.json"
    wrong.write_text('[{"play": {"kind": "explode"}}]')
    assert main(["--plays", str(wrong)]) == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert capsys.readouterr().err.count("offline model: ") == 3
