"""Runs a program with a bucket of Google Cloud Storage that is played.

FOLDER=DIR python -m tests.bucket repjax.main --workdir=gs://BUCKET/… [--flag…]

etils.epath reads and writes through fsspec, of which `Bucket` is a file system; orbax
saves arrays through tensorstore, which speaks HTTP with `serve`. Both see the same
objects, kept in DIR. As in a real bucket there are no folders but those of objects.
"""

import importlib
import io
import json
import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, get_ident
from urllib.parse import parse_qs, quote, unquote, urlsplit

import fsspec


class Objects(MutableMapping[str, bytes]):
    """BUCKET/NAME → content, each a file of one folder."""

    def __init__(self, folder: Path):
        self._folder = folder

    def _file(self, name: str) -> Path:
        return self._folder / quote(name, safe="")

    def __getitem__(self, name: str) -> bytes:
        try:
            return self._file(name).read_bytes()
        except FileNotFoundError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, content: bytes) -> None:
        file = self._file(name)
        beside = file.with_name(f"new {get_ident()}")
        beside.write_bytes(content)
        beside.replace(file)

    def __delitem__(self, name: str) -> None:
        self._file(name).unlink()

    def __iter__(self) -> Iterator[str]:
        files = (file.name for file in self._folder.iterdir())
        return iter(sorted(unquote(name) for name in files if " " not in name))

    def __len__(self) -> int:
        return len([*self])


OBJECTS = Objects(Path(os.environ.get("FOLDER", "")))


class Bucket(fsspec.AbstractFileSystem):
    """What gcsfs is to epath."""

    protocol = ("gcs", "gs")

    def ls(self, path, detail=True, **_):
        path = self._strip_protocol(path)
        found = {}
        for name in OBJECTS:
            content = OBJECTS.get(name)
            if content is None:  # by now another process has removed it
                continue
            if name == path:
                found[name] = {"name": name, "size": len(content), "type": "file"}
            elif name.startswith(f"{path}/"):
                child, _, deeper = name[len(path) + 1 :].partition("/")
                child = f"{path}/{child}"
                kind = "directory" if deeper else "file"
                found[child] = {"name": child, "size": len(content), "type": kind}
        if not found:
            raise FileNotFoundError(path)
        return [*found.values()] if detail else [*found]

    def _open(self, path, mode="rb", **_):
        if mode == "wb":
            return _Upload(path)
        if (content := OBJECTS.get(path)) is None:
            raise FileNotFoundError(path)
        return io.BytesIO(content)

    def rm_file(self, path):
        OBJECTS.pop(self._strip_protocol(path), None)

    def cp_file(self, path1, path2, **_):
        one, other = map(self._strip_protocol, (path1, path2))
        if one in OBJECTS:  # and no folder
            OBJECTS[other] = OBJECTS[one]


class _Upload(io.BytesIO):
    """An object that is there once all of it is written."""

    def __init__(self, path: str):
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            OBJECTS[self._path] = self.getvalue()
        super().close()


class _Handler(BaseHTTPRequestHandler):
    """The calls of the JSON API that tensorstore makes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        """Says nothing."""

    def _answer(self, status: int, content: bytes = b"", more=None) -> None:
        self.send_response(status)
        size = {"Content-Length": str(len(content)), "x-goog-generation": "1"}
        for header, value in (size | (more or {})).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)

    def _asked(self) -> tuple[str, dict[str, str]]:
        """BUCKET/NAME, and the rest of what is asked."""
        url = urlsplit(self.path)
        bucket, _, name = url.path.partition("/b/")[2].partition("/o")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        return f"{bucket}/{unquote(name[1:]) or query.get('name', '')}", query

    def do_POST(self) -> None:
        name, query = self._asked()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if query.get("ifGenerationMatch") == "0" and name in OBJECTS:
            return self._answer(412)
        OBJECTS[name] = content
        return self._answer(200, _resource(name))

    def do_GET(self) -> None:
        name, query = self._asked()
        if name.endswith("/"):
            start = name + query.get("prefix", "")
            found = [_resource(key) for key in OBJECTS if key.startswith(start)]
            return self._answer(200, b'{"items": [%s]}' % b",".join(found))
        if name not in OBJECTS:
            return self._answer(404)
        content, wanted = OBJECTS[name], self.headers.get("Range")
        if query.get("alt") != "media":
            return self._answer(200, _resource(name))
        if not wanted:
            return self._answer(200, content)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = int(last) + 1 if last else len(content)
        place = f"bytes {first}-{end - 1}/{len(content)}"
        return self._answer(206, content[int(first) : end], {"Content-Range": place})

    def do_DELETE(self) -> None:
        name, _ = self._asked()
        self._answer(404 if OBJECTS.pop(name, None) is None else 204)


def _resource(name: str) -> bytes:
    bucket, _, key = name.partition("/")
    size = str(len(OBJECTS[name]))
    about = {"bucket": bucket, "name": key, "size": size, "generation": "1"}
    return json.dumps(about).encode()


@contextmanager
def serve() -> Iterator[str]:
    """Address of a server of the objects."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    """Calls the program that the first argument names."""
    from repjax import command_line

    fsspec.register_implementation("gcs", Bucket, clobber=True)
    program = importlib.import_module(sys.argv.pop(1))
    with serve() as address:
        os.environ["TENSORSTORE_GCS_HTTP_URL"] = address
        os.environ["GCE_METADATA_ROOT"] = (
            "127.0.0.1:1"  # this is no machine of Google's
        )
        command_line.run(program.main, program._FLAGS)


if __name__ == "__main__":
    main()
