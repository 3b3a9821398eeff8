"""`rag-eval ui`: MLflow's dashboards of the configured store, on this machine alone."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from rag_eval.cli.errors import fail, prepare
from rag_eval.errors import EnvironmentFault, Terminated, UserError
from rag_eval.report.commands.options import parsed

UI_USAGE = """rag-eval ui [key=value ...]
Starts MLflow's dashboards on this machine, says where they are, and stops with Ctrl-C. docs/mlflow.md says what to click.
tracking.uri=sqlite:///mlflow.db  the store; a database whose password stands in PGPASSWORD or the like
experiment_name=NAME              the experiment whose address is printed; without it the one that changed last
port=5000
host=127.0.0.1                    another one is refused unless allowed_hosts names what browsers may call it
allowed_hosts=NAME,NAME           as lab.example.org"""
DEFAULTS = {"tracking.uri": "sqlite:///mlflow.db", "experiment_name": "", "port": "5000", "host": "127.0.0.1", "allowed_hosts": ""}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STARTS_S = 180.0  # on a busy machine MLflow takes a minute to load
ENDS_S = 10.0
POLL_S = 0.2
PAGE = "evaluation-runs?workflowType=genai&startTimeLabel=ALL"  # the arms and their scores


@dataclass(frozen=True)
class Dashboards:
    """What to serve, and where."""

    uri: str  # absolute address of the store
    host: str
    port: int
    allowed_hosts: str  # "" = names of this machine only
    experiment: str  # "" = the one that changed last

    @property
    def address(self) -> str:
        """For a browser."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def ui(arguments: list[str]) -> int:
    """Serve the dashboards until a signal ends it."""
    if {"-h", "--help"} & set(arguments):
        print(UI_USAGE)
        return 0
    prepare()
    try:
        _serve(read_dashboards(arguments))
    except KeyboardInterrupt:
        print("MLflow has stopped.", file=sys.stderr)
        return 130
    except Terminated:
        print("MLflow has stopped.", file=sys.stderr)
        return 143
    except BaseException as error:
        return fail(error)
    return 0


def read_dashboards(arguments: Sequence[str]) -> Dashboards:
    """Read and check the command line.

    Args:
        arguments: options as key=value.

    Returns:
        What to serve.

    Raises:
        UserError: for an unknown option, a port that is none, a host that others reach, or an address that is already a server.
        EnvironmentFault: if the store does not exist, or the port is taken or refused.
    """
    from rag_eval.config.secrets import refuse_secrets
    from rag_eval.config.tracking_uri import absolute_uri, check_uri, sqlite_file

    refuse_secrets(arguments)
    words, options = parsed(arguments, DEFAULTS)
    if words:
        raise UserError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, got {words[0]!r}.")
    uri = options["tracking.uri"]
    check_uri(uri)
    if uri.startswith("http"):
        raise UserError(f"tracking.uri: {uri} is a server, which has its dashboards already: open it in a browser.")
    host = options["host"]
    if host not in LOOPBACK and not options["allowed_hosts"]:
        raise UserError(f"host={host} would show your runs to others; add allowed_hosts=NAME, what their browsers may call this machine.")
    file = sqlite_file(uri)
    if file is not None and not file.is_file():
        raise EnvironmentFault(f"{file} does not exist; run `python run.py mode=rag` first, or name the store with tracking.uri=.")
    made = Dashboards(absolute_uri(uri), host, _port(options["port"]), options["allowed_hosts"], options["experiment_name"])
    _check_free(made)
    return made


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise UserError(f"port: expected a number from 1 to 65535, got {text!r}.")
    return int(text)


def _check_free(made: Dashboards) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(made.host, made.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise EnvironmentFault(f"port {made.port} of {made.host}: {error.strerror or error}; choose another with port=.") from error


def _serve(made: Dashboards) -> None:
    """Start the server, say where it is, and wait for its end, which it has with ours.

    Args:
        made: what to serve.

    Raises:
        EnvironmentFault: if the server does not start, or ends by itself.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", made.uri, "--host", made.host, "--port", str(made.port)]
    command += ["--workers", "1", *(["--allowed-hosts", made.allowed_hosts] if made.allowed_hosts else [])]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryFile() as said:
        # A session of its own: Ctrl-C reaches this process alone, which then ends the server and its workers.
        server = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, **quiet}, start_new_session=True)
        try:
            _wait(server, made, said)
            print(f"MLflow shows {made.uri} at {made.address} until Ctrl-C.")
            for line in _experiments(made):
                print(line)
            sys.stdout.flush()
            if server.wait():
                raise EnvironmentFault(f"MLflow ended: {_what_it_said(said)}")
        finally:
            _end(server)


def _wait(server: subprocess.Popen[bytes], made: Dashboards, said: IO[bytes]) -> None:
    end = time.monotonic() + STARTS_S
    while server.poll() is None and time.monotonic() < end:
        try:
            _asked(made, "/health")
            return
        except OSError:
            time.sleep(POLL_S)
    why = f"nothing answers after {STARTS_S:.0f} s" if server.poll() is None else _what_it_said(said)
    raise EnvironmentFault(f"MLflow did not start with {made.uri}: {why}")


def _experiments(made: Dashboards) -> list[str]:
    """The address of the experiment to look at."""
    asked: dict[str, Any] = {"max_results": 1, "order_by": ["last_update_time DESC"]}
    if made.experiment:
        quote = '"' if "'" in made.experiment else "'"
        asked["filter"] = f"name = {quote}{made.experiment}{quote}"
    try:
        found = json.loads(_asked(made, "/api/2.0/mlflow/experiments/search", asked)).get("experiments", [])
    except (OSError, ValueError):
        return []
    if not found:
        return [f"There is no experiment {made.experiment}." if made.experiment else "There is no experiment yet."]
    return [f"{one['name']}: {made.address}/#/experiments/{one['experiment_id']}/{PAGE}" for one in found]


def _asked(made: Dashboards, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    host = "127.0.0.1" if made.host in {"0.0.0.0", "localhost"} else made.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{made.port}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return bytes(answer.read())


def _what_it_said(said: IO[bytes]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines or ["it said nothing"]
    return telling[-1][:300]


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, whatever signal comes meanwhile."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if server.poll() is None:
            os.killpg(server.pid, sent)
            try:
                server.wait(ENDS_S)
            except subprocess.TimeoutExpired:
                continue
