"""A bucket in memory, seen through fsspec as gcsfs shows one, and by TensorStore over HTTP.

TensorStore, which writes the arrays of checkpoints, has a client of its own for Google's storage
and knows nothing of fsspec; it can be told another address than Google's.
"""

import io
import itertools
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec
import pytest
from etils.epath import backend
from fsspec.registry import _registry
from orbax.checkpoint._src.path import gcs_utils

NAME = "bucket"


class Store:
    """Objects as {"bucket/folder/name": (bytes, generation)}.

    While `gone` nothing can be written or read, as after somebody has taken the rights away;
    `goes_before`, asked of every name before it is written, makes it so.
    """

    def __init__(self):
        self.gone = False
        self.goes_before: Callable[[str], bool] = lambda name: False
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.written: list[str] = []
        self.lock = threading.Lock()
        self._generations = itertools.count(1)

    def put(self, name, data, *, only=None):
        """The new generation, or None where the object has another one than `only`."""
        with self.lock:
            self.gone = self.gone or self.goes_before(name)
            if self.gone:
                raise PermissionError(f"403: no access to {name}")
            if only is not None and self.objects.get(name, (b"", 0))[1] != only:
                return None
            generation = next(self._generations)
            self.objects[name] = (data, generation)
            self.written.append(name)
            return generation

    def texts(self, folder):
        """What lies under a folder, by name."""
        return {name.removeprefix(f"{folder}/"): data for name, (data, _) in self.objects.items()
                if name.startswith(f"{folder}/")}  # fmt: skip


class Upload(io.BytesIO):
    """Written to the store when closed."""

    def __init__(self, store, name):
        super().__init__()
        self._store, self._object = store, name

    def close(self):
        if not self.closed:
            self._store.put(self._object, self.getvalue())
        super().close()


class FileSystem(fsspec.AbstractFileSystem):
    """No appending, no empty folders, and only one bucket."""

    protocol = ("gcs", "gs")
    cachable = False
    store: Store

    def ls(self, path, detail=True, **_):
        path = self._strip_protocol(path)
        self._reach(path)
        found = {}
        for name, (data, _generation) in list(self.store.objects.items()):
            if name == path:
                found[name] = {"name": name, "size": len(data), "type": "file"}
            elif name.startswith(f"{path}/"):
                child, *deeper = name.removeprefix(f"{path}/").split("/", 1)
                entry = {"size": len(data), "type": "file"}
                if deeper:
                    entry = {"size": 0, "type": "directory"}
                found[f"{path}/{child}"] = {"name": f"{path}/{child}", **entry}
        if not found:
            raise FileNotFoundError(path)
        return list(found.values()) if detail else list(found)

    def _reach(self, path):
        if self.store.gone:
            raise PermissionError(f"403: no access to {path}")

    def _open(self, path, mode="rb", **_):
        self._reach(path)
        if mode == "wb":
            if not path.startswith(f"{NAME}/"):
                raise FileNotFoundError(f"{path}: The specified bucket does not exist.")
            return Upload(self.store, path)
        if mode != "rb":
            raise NotImplementedError(mode)
        if path not in self.store.objects:
            raise FileNotFoundError(path)
        return io.BytesIO(self.store.objects[path][0])

    def mkdir(self, path, create_parents=True, **_):
        pass

    def makedirs(self, path, exist_ok=False):
        pass

    def _rm(self, path):
        self.store.objects.pop(path, None)


class Handler(BaseHTTPRequestHandler):
    """As much of Google's JSON API as TensorStore asks for."""

    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *_):
        pass

    def _asked(self):
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        found = re.fullmatch(r"(?:/upload)?/storage/v1/b/([^/]+)/o(?:/(.+))?", parts.path)
        assert found, self.path
        return found[1], unquote(found[2] or query.get("name", "")), query

    def _answer(self, status, data=b"", generation=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if generation:
            self.send_header("x-goog-generation", str(generation))
        self.end_headers()
        self.wfile.write(data)

    def _listed(self, bucket, query):
        names = sorted(self.store.texts(bucket))
        first, end = query.get("startOffset", ""), query.get("endOffset", "\U0010ffff")
        items = [{"name": n, "size": str(len(self.store.objects[f"{bucket}/{n}"][0]))}
                 for n in names if first <= n < end]  # fmt: skip
        self._answer(200, json.dumps({"items": items}).encode())

    def do_GET(self):
        bucket, name, query = self._asked()
        if self.store.gone:
            self._answer(403)
            return
        if not name:
            self._listed(bucket, query)
            return
        data, generation = self.store.objects.get(f"{bucket}/{name}", (b"", 0))
        if not generation:
            self._answer(404)
        elif query.get("ifGenerationNotMatch") == str(generation):
            self._answer(304, generation=generation)
        elif span := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            end = int(span[2]) + 1 if span[2] else len(data)
            self.send_response(206)
            part = data[int(span[1]) : end]
            self.send_header("Content-Range", f"bytes {span[1]}-{end - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.send_header("x-goog-generation", str(generation))
            self.end_headers()
            self.wfile.write(part)
        else:
            self._answer(200, data, generation)

    def do_POST(self):
        bucket, name, query = self._asked()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        only = query.get("ifGenerationMatch")
        try:
            made = self.store.put(f"{bucket}/{name}", data, only=int(only) if only else None)
        except PermissionError:
            self._answer(403)
            return
        if made is None:
            self._answer(412)
        else:
            said = {"name": name, "generation": str(made), "size": str(len(data))}
            self._answer(200, json.dumps(said).encode())

    def do_DELETE(self):
        bucket, name, _ = self._asked()
        self._answer(204 if self.store.objects.pop(f"{bucket}/{name}", None) else 404)


@pytest.fixture(scope="session")
def bucket():
    """A store that gs://bucket leads to; TensorStore reads its address once in a process."""
    store = Store()
    handler = type("BoundHandler", (Handler,), {"store": store})
    system = type("BoundFileSystem", (FileSystem,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    clients = backend._FileSystemSpecBackend._get_filesystem
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORSTORE_GCS_HTTP_URL", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "anyone")
        patch.setitem(_registry, "gcs", system)
        # Orbax asks Google whether the bucket has real folders.
        patch.setattr(gcs_utils, "get_bucket", lambda name: name)
        clients.cache_clear()
        yield store
        clients.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(bucket, request):
    """A folder of the bucket for this test alone, as text."""
    return f"gs://{NAME}/{re.sub(r'[^a-z0-9]+', '-', request.node.name)}"
