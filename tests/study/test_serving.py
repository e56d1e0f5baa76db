"""A study served to 30 raters at once: nothing that was acknowledged is lost by a kill, and nobody sees others."""

import http.client
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from pxs.cli import main
from pxs.study.answers import DATABASE, read_answers
from pxs.study.key import read_key
from pxs.study.simulated import simulate

TASTE = {name: {"continuity": 3.0, "identity": 4.0} for name in ("even", "jumpy", "stranger")}
RATERS = 30


@pytest.fixture
def study(bench_folder, tmp_path):
    out = tmp_path / "study"
    flags = ["--out", str(out), "--raters", str(RATERS), "--questions", "6"]
    assert main(["study", "make", str(bench_folder), *flags]) == 0
    return out


@contextmanager
def served(folder):
    """A server process and its link; killed at the end."""
    command = [sys.executable, "-m", "pxs", "study", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        link = process.stdout.readline().strip()
        assert link, process.stderr.read()
        yield process, link
    finally:
        process.kill()
        process.communicate()


def request(link, method, path="", body=None, headers=None):
    """Status, headers and text of a response."""
    parts = urlsplit(link)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    try:
        connection.request(method, parts.path + path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def take_place(link):
    """The path of the next rater's page, below the link, and the rater's code."""
    status, headers, _ = request(link, "POST")
    assert status == 303
    assert headers["Location"].startswith(urlsplit(link).path)
    rater = headers["Location"].removeprefix(urlsplit(link).path)
    return rater, rater.rstrip("/")


def test_thirty_raters_at_once_lose_nothing_by_a_kill(study):
    key = read_key(study)
    files = {one["rater"]: one["answers"] for one in simulate(key, TASTE)}
    acknowledged, lock, enough = {}, threading.Lock(), threading.Event()

    def rate(link, resend):
        path, rater = take_place(link) if resend is None else (f"{resend}/", resend)
        try:
            for answer in files[rater]:
                if request(link, "POST", f"{path}answers", json.dumps(answer))[0] == 204:
                    with lock:
                        acknowledged.setdefault(rater, {})[answer["item"]] = answer
                        if sum(map(len, acknowledged.values())) > 100:
                            enough.set()
        except (OSError, http.client.HTTPException):  # the server was killed
            pass

    def all_rate(link, raters):
        threads = [threading.Thread(target=rate, args=(link, one)) for one in raters]
        for thread in threads:
            thread.start()
        return threads

    with served(study) as (process, link):
        threads = all_rate(link, [None] * RATERS)
        assert enough.wait(120)
        os.kill(process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
    before = {rater: dict(answers) for rater, answers in acknowledged.items()}
    assert 100 < sum(map(len, before.values())) < sum(map(len, files.values()))
    with served(study) as (_, again):
        assert urlsplit(again).path == urlsplit(link).path  # links that were given away stay good
        for rater, answers in before.items():
            kept = json.loads(request(again, "GET", f"{rater}/answers")[2])
            assert {one["item"]: one for one in kept}.items() >= answers.items()
        for thread in all_rate(again, files):
            thread.join()
        found = read_answers(key, [], study)  # while it is being served
    assert {rater: len(answers) for rater, answers in found.items()} == {r: len(a) for r, a in files.items()}
    for rater, answers in files.items():
        assert [found[rater][one["item"]].values["identity"] for one in answers] == [one["identity"] for one in answers]


def test_places_are_given_once_to_who_asks_for_one(study):
    with served(study) as (_, link):
        assert "Take part" in request(link, "GET")[2]
        pages = [take_place(link)[0] for _ in range(RATERS)]
        assert len(set(pages)) == RATERS
        status, _, text = request(link, "POST")
        assert status == 409 and "All places in this study are taken" in text
        status, headers, page = request(link, "GET", pages[3])
        assert status == 200 and '<meta name="answers" content="answers">' in page
        assert headers["Cache-Control"] == "no-store" and "connect-src 'self'" in headers["Content-Security-Policy"]


@pytest.fixture(scope="module")
def one_server(bench_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("serve") / "study"
    flags = ["--out", str(out), "--raters", "2", "--questions", "6"]
    assert main(["study", "make", str(bench_folder), *flags]) == 0
    with served(out) as (_, link):
        yield out, link


def test_strangers_get_nothing(one_server):
    out, link = one_server
    rater = next(iter(read_key(out).raters))
    parts = urlsplit(link)
    for path in ("/", "/key.json", f"/{rater}/", f"/wrong/{rater}/", f"{parts.path}001-0000000000000000/"):
        assert request(f"http://{parts.netloc}", "GET", path)[0] == 404
    for path in ("../key.json", "key.json", "%2e%2e/key.json", f"{rater}/../../key.json"):
        assert request(link, "GET", path)[0] == 404
    assert request(link, "POST", "001-0000000000000000/answers", "{}")[0] == 404
    assert request(link, "DELETE", "001-0000000000000000/answers")[0] == 404


def test_what_is_no_answer_is_refused(one_server):
    out, link = one_server
    key = read_key(out)
    rater, other = key.raters
    good = simulate(key, TASTE)[0]["answers"][0]
    foreign = next(name for name in key.raters[other] if name not in key.raters[rater])
    bad = [{**good, "identity": 9}, {**good, "item": foreign}, {**good, "item": "x"}, [], "x", {**good, "seconds": -1}]
    for body in (*map(json.dumps, bad), "", "{", "[" * 9000, b"\xff\xfe"):
        assert request(link, "POST", f"{rater}/answers", body)[0] == 400
    assert request(link, "GET", f"{rater}/answers")[2] == "[]"
    with pytest.raises((OSError, http.client.HTTPException, AssertionError)):
        assert request(link, "POST", f"{rater}/answers", "x" * 1_000_000)[0] == 204


def test_a_rater_corrects_and_deletes_answers_and_nothing_else_is_stored(one_server):
    out, link = one_server
    files = simulate(read_key(out), TASTE)
    for one in files:
        for answer in one["answers"]:
            assert request(link, "POST", f"{one['rater']}/answers", json.dumps(answer))[0] == 204
    rater, other = (one["rater"] for one in files)
    changed = {**files[0]["answers"][0], "identity": 1, "name": "left out"}
    assert request(link, "POST", f"{rater}/answers", json.dumps(changed))[0] == 204
    kept = {one["item"]: one for one in json.loads(request(link, "GET", f"{rater}/answers")[2])}
    assert kept[changed["item"]]["identity"] == 1 and len(kept) == len(files[0]["answers"])
    assert all(one.keys() == {"item", "continuity", "identity", "seconds"} for one in kept.values())
    assert request(link, "DELETE", f"{rater}/answers")[0] == 204
    assert request(link, "GET", f"{rater}/answers")[2] == "[]"
    assert len(json.loads(request(link, "GET", f"{other}/answers")[2])) == len(files[1]["answers"])
    stored = b"".join(path.read_bytes() for path in out.glob(f"{DATABASE}*"))
    assert changed["item"].encode() not in stored and other.encode() in stored
    assert stat.S_IMODE((out / DATABASE).stat().st_mode) == 0o600


def test_one_server_a_study(one_server, capsys):
    out, _ = one_server
    assert main(["study", "serve", str(out), "--port", "0"]) == 2
    assert "is being served already" in capsys.readouterr().err


def test_a_stop_is_clean(study):
    with served(study) as (process, link):
        take_place(link)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, "", "")
    assert sorted(path.name for path in study.iterdir()) == [DATABASE, "key.json", "pages"]


def test_answers_to_another_study_are_not_mixed(study, bench_folder, tmp_path, capsys):
    other = tmp_path / "other"
    assert main(["study", "make", str(bench_folder), "--out", str(other), "--raters", "2"]) == 0
    with served(study):
        pass
    with sqlite3.connect(study / DATABASE) as database:
        content = "\n".join(database.iterdump())
    with sqlite3.connect(other / DATABASE) as database:
        database.executescript(content)
    capsys.readouterr()
    assert main(["study", "serve", str(other), "--port", "0"]) == 2
    assert "holds answers to another study" in capsys.readouterr().err
