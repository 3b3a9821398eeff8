"""Which tracking stores are accepted; known before MLflow is imported."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from rag_eval.errors import ConfigError

SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
ADVICE = "use tracking.uri=sqlite:///mlflow.db or the http(s) address of a server"


def check_uri(uri: str) -> None:
    """Refuse a tracking store that MLflow would refuse later, and an address that contains a password.

    Args:
        uri: address of a database or server.

    Raises:
        ConfigError: for a folder of files, an unknown scheme, or user and password in the address (not repeated in the message).
    """
    parts = urlsplit(uri)
    if parts.username or parts.password:
        raise ConfigError("tracking.uri: expected no user or password in the address; set MLFLOW_TRACKING_USERNAME and _PASSWORD.")
    if uri.startswith(SQLITE) and len(uri) > len(SQLITE):
        return
    if parts.scheme in ("http", "https") or parts.scheme.split("+")[0] in DATABASES:
        return
    if parts.scheme in ("", "file"):
        raise ConfigError(f"tracking.uri: {uri!r} is a file store, which MLflow refuses since 3.13; {ADVICE}.")
    raise ConfigError(f"tracking.uri: expected a database or a server, got {uri!r}; {ADVICE}.")


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of a SQLite store's file; None for any other store. As in any address, %25 stands for % and a query may follow."""
    return Path(unquote(uri.removeprefix(SQLITE).partition("?")[0])).absolute() if uri.startswith(SQLITE) else None


def local_file(uri: str) -> Path | None:
    """The absolute path of a store that is a file: SQLite's, or a plain path; None for a server."""
    return sqlite_file(uri) or (None if urlsplit(uri).scheme else Path(uri).absolute())


def absolute_uri(uri: str) -> str:
    """The same store from whatever folder it is opened. What has no scheme is a path."""
    if (file := sqlite_file(uri)) is not None:
        _, mark, query = uri.partition("?")
        return f"{SQLITE}{str(file).replace('%', '%25').replace('?', '%3F')}{mark}{query}"
    return str(local_file(uri) or uri)
