"""The app without a browser: who is let in, and what a tab gets."""

import io
import json
import re
import shlex
import zipfile

from app_client import STEPS, opened, png
from fake_faces import FakeFinder, face, smooth
from PIL import Image

import pxs
from pxs.app import offers
from pxs.app.offers import Sample
from pxs.cli import main
from pxs.editing.request import Request
from pxs.expressions import Mix
from pxs.images import read_text


def test_without_the_token_there_is_nothing(tabs, app):
    async def run(tab):
        sound, base = tab.address, tab.address.rsplit("/", 2)[0]
        found = []
        for address in (f"{base}/", f"{base}/token-of-the-tests-0124/", f"{base}/x{sound[len(base) + 1 :]}"):
            tab.address = address
            found += [await tab.fetch(path) for path in ("", "app.js", "alive", "edit.png", "sample/human/0.png")]
            found += [await tab.fetch("picture", "POST", b"x"), await tab.fetch(f"live?session={tab.key}")]
        tab.address = sound
        return found, [(await tab.fetch(path)).code for path in ("../server.py", "%2e%2e/server.py", "page/app.js")]

    found, others = tabs(run, app)
    assert {answer.code for answer in found} == {404} and others == [404] * 3
    assert all(b"Open the whole address" in answer.body for answer in found)
    assert not any(b"token-of" in answer.body for answer in found)


def test_the_page_may_load_nothing_from_elsewhere(tabs, app):
    async def run(tab):
        page = await tab.fetch("")
        names = set(re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()))
        return page, {name: await tab.fetch(name) for name in names}

    page, files = tabs(run, app)
    assert {"app.js", "app.css", "icon.svg"} <= files.keys() and {one.code for one in files.values()} == {200}
    said = b"".join(answer.body for answer in (page, *files.values())).decode()
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org)[a-z0-9.-]+\.[a-z]{2,}", said)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'" and policy["script-src"] == "'self'"
    assert "unsafe" not in str(policy) and "http" not in str(policy)
    assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["X-Content-Type-Options"] == "nosniff"


def test_an_edit_is_that_of_the_package_and_its_line_command_and_file_say_so(
    tabs, app, editor, tmp_path, monkeypatch, capsys
):
    async def run(tab):
        tab.wish("sample", style="anime", number=2)
        await tab.until("picture", domain="anime")
        event = await tab.edited()
        return event, await tab.fetch("edit.png")

    event, answer = tabs(run, app)
    source = pxs.draw(pxs.Identity.sample(400002), style="anime")
    expected = editor.open(source, "anime").edit(Mix(happy=1), 7, STEPS, progress=False)
    assert opened(answer.body).tobytes() == expected[0].tobytes()
    assert read_text(answer.body) == expected.text(Mix(happy=1))
    assert "anime_002_neutral_happy_1.png" in answer.headers["Content-Disposition"]
    line = event["python"].replace('pxs.load("mini")', "editor")
    assert eval(line, {"pxs": pxs, "editor": editor})[0].tobytes() == expected[0].tobytes()
    assert event["command"] == (
        "pxs faces --out faces --style anime --seed 2 --count 1 && pxs edit --image-path faces/anime_002_neutral.png "
        f"--mix happy=1 --seed 7 --steps {STEPS} --domain anime --output-dir edits"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    assert [main(shlex.split(each)[1:]) for each in event["command"].split(" && ")] == [0, 0]
    made = (tmp_path / capsys.readouterr().out.splitlines()[-1]).read_bytes()
    assert opened(made).tobytes() == expected[0].tobytes()


def test_a_file_of_ours_brings_back_picture_sliders_and_seed(tabs, app):
    async def run(tab, other):
        tab.wish("sample", style="human", number=5)
        await tab.until("picture")
        await tab.edited()
        saved = (await tab.fetch("edit.png")).body
        await other.fetch("picture", "POST", saved, X_Name="mine.png")
        settings = await other.until("settings", mix={"happy": 1})
        picture = await other.until("picture", name="human_005_neutral.png")
        note = await other.until("say")
        await other.until("finished")
        return saved, settings, picture, note, (await other.fetch("edit.png")).body

    saved, settings, picture, note, again = tabs(run, app, 2)
    assert (settings["seed"], settings["steps"]) == (7, STEPS)
    assert picture["sample"] == ["human", 5] and "mine.png" in note["text"]
    assert opened(again).tobytes() == opened(saved).tobytes() and read_text(again) == read_text(saved)


def test_a_file_of_ours_whose_source_is_unknown_sets_the_sliders_alone(tabs, app, editor, tmp_path, monkeypatch):
    monkeypatch.setattr("pxs.app.offers.STYLES", ("human", "anime"))  # rendering takes its time
    source = pxs.draw(pxs.Identity.sample(77))
    edits = editor.open(source).edit(Mix(sad=0.5), 3, STEPS, progress=False)
    [file] = edits.save(tmp_path)

    async def run(tab):
        await tab.fetch("picture", "POST", file.read_bytes(), X_Name="sad.png")
        await tab.until("settings", mix={"sad": 0.5}, seed=3)
        note = await tab.until("say")
        await tab.until("finished", seed=3)
        await tab.fetch("picture", "POST", png(source), X_Name="source.png")
        await tab.until("finished", seed=3)
        return note, (await tab.fetch("edit.png")).body

    note, again = tabs(run, app)
    assert "not known here" in note["text"]
    assert opened(again).tobytes() == edits[0].tobytes()


def test_kept_edits_are_downloaded_removed_and_animated(tabs, app):
    async def keep(tab, count):
        await tab.fetch("keep", "POST", b"")
        while len(kept := (await tab.until("kept"))["kept"]) != count:
            pass
        return [one["name"] for one in kept]

    async def run(tab):
        await tab.until("finished")
        await keep(tab, 1)
        await keep(tab, 1)  # the same edit again
        few = await tab.fetch("kept.gif")
        await tab.edited()
        names = await keep(tab, 2)
        files = {name: await tab.fetch(name) for name in ("kept.zip", "kept.gif", f"kept/{names[1]}")}
        tab.wish("remove", name=names[0])
        while len(left := (await tab.until("kept"))["kept"]) > 1:
            pass
        return few, names, [one.body for one in files.values()], left, await tab.fetch(f"kept/{names[0]}")

    few, names, (archive, gif, single), left, gone = tabs(run, app)
    assert few.code == 400 and "two kept edits" in json.loads(few.body)["message"]
    assert names == ["01_human_000_neutral_neutral.png", "02_human_000_neutral_happy_1.png"]
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        assert found.namelist() == [*names, "commands.txt"]
        assert found.read(names[1]) == single
        assert found.read("commands.txt").decode().count("pxs edit") == 2
    with Image.open(io.BytesIO(gif)) as moving:
        assert moving.format == "GIF" and moving.n_frames == 2 and b"compositeWithTrained" in moving.info["comment"]
    assert [one["name"] for one in left] == names[1:] and gone.code == 404


def test_sessions_are_apart(tabs, app):
    async def run(one, other):
        await one.edited()
        await one.fetch("keep", "POST", b"")
        while not (kept := (await one.until("kept"))["kept"]):
            pass
        await other.edited(seed=8)
        codes = [(await other.fetch(path)).code for path in (f"kept/{kept[0]['name']}", "kept.zip")]
        codes += [(await one.fetch("edit.png", X_Session=key)).code for key in ("", "x" * 32, "0" * 31)]
        return codes, [event["seed"] for event in other.events if event["kind"] == "finished"]

    codes, seeds = tabs(run, app, 2)
    assert codes == [404, 400, 400, 400, 400] and 7 not in seeds


def test_bad_requests_are_one_line_and_change_nothing(tabs, app):
    uploads = {
        "empty.png": (b"", "empty"),
        "text.png": (b"not a picture", "not a picture"),
        "wide.png": (png(Image.new("RGB", (1000, 501))), "1000 x 501, 1 megapixels, and 0.5 are the most"),
        "tiny.png": (png(Image.new("RGB", (8, 8))), "8 x 8"),
        "hapy.json": (b'{"mix": {"hapy": 1}}', "hapy"),
        "two.json": (b'{"mixes": [{"happy": 1}, {"sad": 1}]}', "holds 2 mixes"),
        "a.json": (b"{", "a.json"),
    }
    wishes = [
        ("edit", {"mix": {"hapy": 1}, "seed": 1, "steps": 2}, "did you mean 'happy'"),
        ("edit", {"mix": {"happy": 9}, "seed": 1, "steps": 2}, "too large"),
        ("edit", {"mix": {"happy": 1}, "seed": -1, "steps": 2}, "seed -1"),
        ("edit", {"mix": {"happy": 1}, "seed": 1, "steps": 1e9}, "steps"),
        ("edit", {"mix": [1], "seed": 1, "steps": 1}, "is not a mix"),
        ("edit", {}, "reload the page"),
        ("sample", {"style": "human", "number": 9999}, "no sample face human 9999"),
        ("domain", {"domain": "robot"}, "robot"),
        ("explode", {}, "reload the page"),
    ]

    async def run(tab):
        await tab.until("finished")
        for name, (content, words) in uploads.items():
            answer = await tab.fetch("picture", "POST", content, X_Name=name)
            message = json.loads(answer.body)["message"]
            assert answer.code == 400 and words in message and "\n" not in message, (name, message)
        for what, facts, words in wishes:
            tab.wish(what, **facts)
            message = (await tab.until("failed"))["message"]
            assert words in message, (what, facts, message)
        tab.live.write_message("[")
        await tab.until("failed")
        large = await tab.fetch("picture", "POST", b"x" * (app.desk.limits.file + 1), X_Name="large.png")
        cut = await tab.fetch("picture", "POST", png(Image.new("RGB", (64, 64)))[:-40], X_Name="cut.png")
        failed = await tab.until("failed")
        await tab.edited()
        return large.code, cut.code, failed["message"]

    large, cut, message = tabs(run, app)
    assert large in (400, 413, 599) and cut == 200 and "cut short" in message


def test_a_preset_is_saved_and_opened(tabs, app):
    async def run(tab, other):
        await tab.edited()
        answer = await tab.fetch("preset.json")
        await other.fetch("picture", "POST", answer.body, X_Name="x.json")
        return answer, await other.until("finished", seed=7)

    answer, event = tabs(run, app, 2)
    assert json.loads(answer.body) == {"mix": {"happy": 1}, "seed": 7, "steps": STEPS, "domain": "human"}
    assert event["label"] == "happy 1"


def test_samples_and_mixes_are_what_they_say():
    for number in (0, offers.COUNT - 1):
        drawn = pxs.draw(pxs.Identity.sample(400000 + number), style="anime")
        assert opened(offers.png(Sample("anime", number))).tobytes() == drawn.tobytes()
    for mix in offers.MIXES.values():
        assert 1 <= len(mix) <= 2 and Request(mix, 0, 1).check()


def test_one_of_several_faces_is_edited_alone_and_others_can_be_chosen(tabs, app, editor, monkeypatch):
    faces = FakeFinder(face(110, 150, 180), face(290, 150, 160), face(200, 330, 90))
    for name in ("pxs.app.choice", "pxs.editing.photographs.opening"):
        monkeypatch.setattr(f"{name}.finder", lambda: faces)
        monkeypatch.setattr(f"{name}.installed", lambda: True)

    async def run(tab):
        await tab.until("finished")
        await tab.fetch("picture", "POST", png(smooth()), X_Name="two.png")
        first = await tab.until("picture")
        tab.wish("face", face=3)  # there is none such
        tab.wish("face", face=1)
        second = await tab.until("picture")
        event = await tab.edited()
        alone = (await tab.fetch("edit.png")).body
        tab.wish("face", face=None)
        return first, second, event, alone, await tab.until("picture")

    first, second, event, alone, whole = tabs(run, app)
    assert [shown["face"] for shown in (first, second, whole)] == [0, 1, None]
    boxes = [[x / 400 for x in one.box] for one in faces.faces]
    assert first["faces"] == boxes and first["boxed"]
    expected = editor.open(smooth(), face=faces.faces[1]).edit(Mix(happy=1), 7, STEPS, progress=False)
    assert opened(alone).tobytes() == expected[0].tobytes()
    assert "face=1" in event["python"] and "--face 1 " in event["command"]
