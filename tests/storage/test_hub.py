"""Downloading, from a hub of our own on this machine: what is shown, fetched, gone on with, refused, and then loads."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pxs.editing.bundled import BUNDLED
from pxs.storage.hub import size

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as huggingface_hub asks for: a repository's description, and its files, in parts if so asked."""

    repositories: dict = {}
    cut_once: set = set()  # files whose first transfer breaks off in the middle
    ranges: list = []

    def do_GET(self):
        self._answer(with_body=True)

    def do_HEAD(self):
        self._answer(with_body=False)

    def _answer(self, with_body):
        path = self.path.partition("?")[0].strip("/")
        for name, files in self.repositories.items():
            if path in (f"api/models/{name}", *(f"api/models/{name}/revision/{r}" for r in ("main", COMMIT))):
                siblings = [{"rfilename": f, "size": len(content)} for f, content in files.items()]
                description = {"id": name, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "apache-2.0"}}
                return self._send(json.dumps(description).encode(), {}, with_body)
            if path == f"api/models/{name}/tree/{COMMIT}":
                tree = [{"type": "file", "path": f, "size": len(content), "oid": "0"} for f, content in files.items()]
                return self._send(json.dumps(tree).encode(), {}, with_body)
            _, found, file = path.partition(f"{name}/resolve/{COMMIT}/")
            if found and file in files:
                return self._file(file, files[file], with_body)
        kind = "RevisionNotFound" if "/revision/" in path and "Nobody" not in path else "RepoNotFound"
        return self._send(b"{}", {"X-Error-Code": kind}, with_body, 404)

    def _file(self, name, content, with_body):
        etag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        asked = self.headers.get("Range")
        if asked:
            self.ranges.append((name, asked))
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            etag["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return self._send(content[first:], etag, with_body, 206)
        if with_body and name in self.cut_once:
            self.cut_once.remove(name)
            return self._send(content, etag, with_body, cut=len(content) * 3 // 4)
        return self._send(content, etag, with_body)

    def _send(self, body, headers, with_body, status=200, cut=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    """A hub with mini as Qwen/Small and its adapter as PixelSmile/Small; `hub(*arguments)` is `pxs download`."""
    folder = BUNDLED["mini"]
    whole = {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
    adapter = {"adapter.safetensors": whole.pop("adapter.safetensors"), "README.md": b"hello", "photo.png": b"x" * 99}
    Hub.repositories = {"Qwen/Small": whole, "PixelSmile/Small": adapter}
    Hub.cut_once, Hub.ranges = set(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "home")}
    base = {**os.environ, **own, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    def run(*arguments, code=None, **changes):
        command = ["-c", code] if code else ["-m", "pxs.cli", "download", *arguments]
        return subprocess.run([sys.executable, *command], capture_output=True, text=True, env={**base, **changes})

    yield run
    server.shutdown()
    server.server_close()


LOAD = """
import pxs
editor = pxs.load("Qwen/Small", adapter="PixelSmile/Small")
print(editor.checkpoint.resolution, *editor.provenance.values(), sep="\\n")
"""


def test_what_was_downloaded_loads_offline_and_is_what_it_was(hub):
    mini = BUNDLED["mini"]
    for flag, name in (("--model", "Qwen/Small"), ("--adapter", "PixelSmile/Small")):
        done = hub(flag, name)
        assert done.returncode == 0, done.stderr
        plan, folder = done.stdout.splitlines()
        assert plan.startswith(f"{name} at {COMMIT[:12]}") and "licence apache-2.0" in plan and COMMIT in folder
        assert not os.path.exists(os.path.join(folder, "photo.png"))
    done = hub(code=LOAD, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert hashlib.sha256((mini / "adapter.safetensors").read_bytes()).hexdigest() in said
    assert json.loads((mini / "workbench.json").read_text())["resolution"] == int(said[0])
    again = hub("--model", "Qwen/Small", "--dry-run")
    assert "of which 0 kB to download" in again.stdout and len(again.stdout.splitlines()) == 1


def test_a_transfer_that_breaks_off_is_gone_on_with(hub):
    name = "transformer/diffusion_pytorch_model.safetensors"  # large enough to be written in parts
    Hub.cut_once.add(name)
    done = hub("--model", "Qwen/Small")
    assert done.returncode == 0, done.stderr
    with open(os.path.join(done.stdout.splitlines()[-1], name), "rb") as stream:
        assert stream.read() == Hub.repositories["Qwen/Small"][name]
    assert [asked for asked, _ in Hub.ranges] == [name]


@pytest.mark.parametrize(
    ("arguments", "changes", "says"),
    [
        (["--model", "Nobody/Nothing"], {}, "there is no such repository"),
        (["--model", "Nobody"], {}, "'Nobody' cannot be downloaded"),
        (["--model", "Qwen/Small", "--revision", "v9"], {}, "there is no such revision"),
        (["--revision", "v9"], {}, "name it by --model or --adapter"),
        (["--model", "Qwen/Small"], {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        (["--model", "Qwen/Small"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, "check the connection"),
    ],
)
def test_a_download_that_cannot_be_is_one_line_with_status_2(hub, tmp_path, arguments, changes, says):
    done = hub(*arguments, **changes)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "home" / "hub").exists()


def test_without_room_nothing_is_fetched(hub, tmp_path):
    code = "import shutil, sys; from pxs.cli import main\n"
    code += "shutil.disk_usage = lambda _: shutil._ntuple_diskusage(0, 0, 5_000_000)\n"
    done = hub(code=code + "sys.exit(main(['download', '--model', 'Qwen/Small']))")
    assert done.returncode == 2 and "5.0 MB left: free space or set HF_HOME" in done.stderr
    assert not (tmp_path / "home" / "hub").exists()


def test_sizes_are_for_people():
    assert [size(n) for n in (57_700_000_000, 3_140_000, 999)] == ["57.7 GB", "3.1 MB", "1 kB"]
