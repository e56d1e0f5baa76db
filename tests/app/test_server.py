"""The app without a browser: who is let in, what a tab gets, and that ten tabs at once wait in turn."""

import io
import json
import re
import zipfile

import pytest
from PIL import Image

import pxs
from pxs.app import offers
from pxs.app.offers import Sample
from pxs.app.session import START
from pxs.expressions import Mix
from pxs.images import read_text
from pxs.panel.worker import Request

STEPS = 2
HAPPY = {"mix": {"happy": 1}, "seed": 7, "steps": STEPS}


@pytest.fixture(scope="module")
def app(make_app):
    """An app whose sessions begin with a short edit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pxs.app.session.START", START._replace(steps=STEPS))
        yield make_app()


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def opened(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB")


async def edited(tab, **request):
    tab.wish("edit", **{**HAPPY, **request})
    return await tab.until("finished", seed=request.get("seed", 7), steps=STEPS)


def test_without_the_token_there_is_nothing(tabs, app):
    async def run(tab):
        tab.token = "another-token-0123456"
        codes = [(await tab.fetch(path)).code for path in ("", "app.js", "alive", "edit.png", "sample/human/0.png")]
        body = (await tab.fetch("")).body.decode()
        with pytest.raises(Exception, match="403"):
            await tab.connect()
        posted = await tab.fetch("picture", "POST", b"x")
        return codes, body, posted.code

    codes, body, posted = tabs(run, app=app)
    assert codes == [403] * 5 and posted == 403
    assert "Open the whole address" in body and app.desk.token not in body


def test_the_address_with_the_token_leads_to_the_page_and_no_other_site_is_named(tabs, app):
    async def run(tab):
        first = await tab.fetch("")
        cookie = first.headers["Set-Cookie"]
        tab.token = ""
        files = {name: await tab.fetch(name, Cookie=cookie.split(";")[0]) for name in ("", "app.js", "app.css")}
        return first, cookie, files

    first, cookie, files = tabs(run, app=app)
    assert first.code == 302 and first.headers["Location"] == "/"
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert [answer.code for answer in files.values()] == [200] * 3
    page = b"".join(answer.body for answer in files.values()).decode()
    assert "PixelSmile" in page and not re.findall(r"(?:https?:)?//(?!www\.w3\.org)[a-z0-9.-]+\.[a-z]{2,}", page)
    policy = files[""].headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';") and "http" not in policy


def test_an_edit_is_that_of_the_package_and_its_line_and_file_say_so(tabs, app, editor):
    async def run(tab):
        tab.wish("sample", style="anime", number=2)
        await tab.until("picture", domain="anime")
        event = await edited(tab)
        return event, await tab.fetch("edit.png")

    event, answer = tabs(run, app=app)
    source = pxs.draw(pxs.Identity.sample(400002), style="anime")
    expected = editor.open(source, "anime").edit(Mix(happy=1), 7, STEPS, progress=False)
    assert opened(answer.body).tobytes() == expected[0].tobytes()
    text = read_text(answer.body)
    assert {**expected.text(Mix(happy=1))} == text
    assert "anime_002_neutral_happy_1.png" in answer.headers["Content-Disposition"]
    line = event["python"].replace('pxs.load("mini")', "editor")
    assert eval(line, {"pxs": pxs, "editor": editor})[0].tobytes() == expected[0].tobytes()
    assert event["command"] == (
        "pxs faces --out faces --count 3 && pxs edit --image-path faces/anime_002_neutral.png --mix happy=1 "
        f"--seed 7 --steps {STEPS} --data-type anime --output-dir edits"
    )


def test_a_file_of_ours_brings_back_picture_sliders_and_seed(tabs, app):
    async def run(tab, other):
        tab.wish("sample", style="human", number=5)
        await tab.until("picture")
        await edited(tab)
        saved = (await tab.fetch("edit.png")).body
        await other.fetch("picture", "POST", saved, X_Name="mine.png")
        settings = await other.until("settings", mix={"happy": 1})
        picture = await other.until("picture", name="human_005_neutral.png")
        note = await other.until("say")
        await other.until("finished")
        return saved, settings, picture, note, (await other.fetch("edit.png")).body

    saved, settings, picture, note, again = tabs(run, 2, app)
    assert (settings["seed"], settings["steps"]) == (7, STEPS)
    assert picture["sample"] == ["human", 5] and "mine.png" in note["text"]
    assert opened(again).tobytes() == opened(saved).tobytes() and read_text(again) == read_text(saved)


def test_a_file_of_ours_whose_source_is_unknown_sets_the_sliders_alone(tabs, app, editor):
    source = pxs.draw(pxs.Identity.sample(77))
    edits = editor.open(source).edit(Mix(sad=0.5), 3, STEPS, progress=False)

    async def run(tab, folder):
        [file] = edits.save(folder)
        await tab.fetch("picture", "POST", file.read_bytes(), X_Name="sad.png")
        await tab.until("settings", mix={"sad": 0.5}, seed=3)
        note = await tab.until("say")
        first = await tab.until("finished", seed=3)
        await tab.fetch("picture", "POST", png(source), X_Name="source.png")
        await tab.until("finished", seed=3)
        return note, first, (await tab.fetch("edit.png")).body

    note, first, again = tabs(lambda tab: run(tab, app.desk.folder / "made"), app=app)
    assert "open that picture" in note["text"] and "identity" in first["python"].lower()
    assert opened(again).tobytes() == edits[0].tobytes()


def test_kept_edits_are_downloaded_removed_and_animated(tabs, app):
    async def run(tab):
        await tab.until("finished")
        await tab.fetch("keep", "POST", b"")
        await tab.fetch("keep", "POST", b"")  # the same edit again
        few = await tab.fetch("kept.gif")
        await edited(tab)
        await tab.fetch("keep", "POST", b"")
        names = [one["name"] for one in (await tab.until("kept"))["kept"]]
        while len(names) < 2:
            names = [one["name"] for one in (await tab.until("kept"))["kept"]]
        archive, gif = await tab.fetch("kept.zip"), await tab.fetch("kept.gif")
        single = await tab.fetch(f"kept/{names[1]}")
        tab.wish("remove", name=names[0])
        while len(left := (await tab.until("kept"))["kept"]) > 1:
            pass
        return few, names, archive, gif, single, left, await tab.fetch(f"kept/{names[0]}")

    few, names, archive, gif, single, left, gone = tabs(run, app=app)
    assert few.code == 400 and "two kept edits" in json.loads(few.body)["message"]
    assert names == ["01_human_000_neutral_neutral.png", "02_human_000_neutral_happy_1.png"]
    with zipfile.ZipFile(io.BytesIO(archive.body)) as found:
        assert found.namelist() == [*names, "commands.txt"]
        assert found.read(names[1]) == single.body
        assert found.read("commands.txt").decode().count("pxs edit") == 2
    with Image.open(io.BytesIO(gif.body)) as moving:
        assert moving.format == "GIF" and moving.n_frames == 2
    assert [one["name"] for one in left] == names[1:] and gone.code == 404


def test_sessions_are_apart(tabs, app):
    async def run(one, other):
        await edited(one)
        await one.fetch("keep", "POST", b"")
        kept = (await one.until("kept"))["kept"]
        while not kept:
            kept = (await one.until("kept"))["kept"]
        await edited(other, seed=8)
        codes = [(await other.fetch(path)).code for path in (f"kept/{kept[0]['name']}", "kept.zip")]
        codes += [(await one.fetch("edit.png", X_Session=key)).code for key in ("", "x" * 32, "0" * 31)]
        return codes, [event["seed"] for event in other.events if event["kind"] == "finished"]

    codes, seeds = tabs(run, 2, app)
    assert codes == [404, 400, 400, 400, 400] and 7 not in seeds


def test_ten_at_once_are_served_in_turn_and_told_their_place(tabs, app):
    async def run(first, *others):
        for tab in (first, *others):
            await tab.until("finished")
            tab.events.clear()
        first.wish("edit", mix={"sad": 1}, seed=1, steps=1000)
        await first.until("step")
        for number, tab in enumerate(others, 1):
            tab.wish("edit", mix={"sad": 1}, seed=number, steps=STEPS)
            await tab.until("queue", place=number)
        first.wish("edit", mix={"sad": 0.5}, seed=99, steps=STEPS)  # the hasty one goes to the end
        await first.until("queue")
        others[4].wish("edit", mix={"fear": 1}, seed=55, steps=STEPS)  # who waits keeps the place
        for number, tab in enumerate(others, 1):
            await tab.until("finished", seed=55 if number == 5 else number)
        await first.until("finished", seed=99)
        return [[event["place"] for event in tab.events if event["kind"] == "queue"] for tab in (*others, first)]

    for number, places in enumerate(tabs(run, 10, app), 1):
        told = list(dict.fromkeys(places))
        assert told == list(range(told[0], 0, -1)) and told[0] in (number, number - 1), (number, places)


def test_bad_requests_are_one_line_and_change_nothing(tabs, app):
    uploads = {"empty.png": b"", "text.png": b"not a picture", "hapy.json": b'{"mix": {"hapy": 1}}', "a.json": b"{"}
    wishes = [
        ("edit", {"mix": {"hapy": 1}, "seed": 1, "steps": 2}, "did you mean 'happy'"),
        ("edit", {"mix": {"happy": 9}, "seed": 1, "steps": 2}, "too large"),
        ("edit", {"mix": {"happy": 1}, "seed": -1, "steps": 2}, "seed -1"),
        ("edit", {"mix": {"happy": 1}, "seed": 1, "steps": 1e9}, "steps"),
        ("edit", {"mix": [1], "seed": 1, "steps": 1}, "is not a mix"),
        ("edit", {}, "reload the page"),
        ("sample", {"style": "human", "number": 9999}, "reload the page"),
        ("domain", {"domain": "robot"}, "robot"),
        ("explode", {}, "reload the page"),
    ]

    async def run(tab):
        await tab.until("finished")
        said = []
        for name, content in uploads.items():
            answer = await tab.fetch("picture", "POST", content, X_Name=name)
            said.append(json.loads(answer.body).get("message") or (await tab.until("failed"))["message"])
        for what, facts, words in wishes:
            tab.wish(what, **facts)
            message = (await tab.until("failed"))["message"]
            assert words in message, (what, facts, message)
        tab.live.write_message("[")
        await tab.until("failed")
        large = await tab.fetch("picture", "POST", b"x" * (app.desk.most_bytes + 1), X_Name="large.png")
        await edited(tab)
        return said, large.code

    said, large = tabs(run, app=app)
    for words, message in zip(("empty", "not a picture", "hapy", "a.json"), said, strict=True):
        assert words in message and "\n" not in message
    assert large != 200


def test_a_preset_is_saved_and_opened(tabs, app):
    async def run(tab, other):
        await edited(tab)
        answer = await tab.fetch("preset.json")
        await other.fetch("picture", "POST", answer.body, X_Name="x.json")
        return answer, await other.until("finished", seed=7)

    answer, event = tabs(run, 2, app)
    assert json.loads(answer.body) == {"mix": {"happy": 1}, "seed": 7, "steps": STEPS, "data_type": "human"}
    assert event["mix"] == "happy 1"


def test_a_cancelled_edit_leaves_the_last_one(tabs, app):
    async def run(tab):
        await edited(tab)
        tab.wish("edit", mix={"sad": 1}, seed=1, steps=900)
        await tab.until("step", of=900)
        tab.wish("cancel")
        settings = await tab.until("settings")
        last = await tab.until("finished")
        await edited(tab, seed=9)
        return settings, last, [event for event in tab.events if event["kind"] == "finished" and event["steps"] == 900]

    settings, last, unwanted = tabs(run, app=app)
    assert settings["mix"] == {"happy": 1} and last["seed"] == 7 and unwanted == []


def test_a_draft_follows_a_slider_where_nobody_waits(tabs, app):
    async def run(tab):
        await edited(tab)
        app.engine.step_seconds = 0.01  # whatever this machine needs
        tab.wish("edit", **HAPPY, draft=True)
        draft = await tab.until("draft")
        app.engine.step_seconds = 10
        tab.wish("edit", **HAPPY, draft=True)
        await edited(tab, seed=9)
        return draft, [event["kind"] for event in tab.events].count("draft")

    draft, count = tabs(run, app=app)
    assert draft["image"].startswith("data:image/jpeg") and count == 1


def test_the_same_key_finds_its_session_again(tabs, app):
    async def run(tab):
        await edited(tab)
        await tab.close()
        tab.events.clear()
        await tab.connect()
        hello, settings = await tab.until("hello"), await tab.until("settings")
        return hello["known"], settings["mix"], (await tab.until("finished"))["seed"]

    assert tabs(run, app=app) == (True, {"happy": 1}, 7)


def test_the_samples_and_presets_are_what_they_say():
    for number in (0, offers.COUNT - 1):
        drawn = pxs.draw(pxs.Identity.sample(400000 + number), style="anime")
        assert opened(offers.png(Sample("anime", number))).tobytes() == drawn.tobytes()
    for mix in offers.PRESETS.values():
        assert 1 <= len(mix) <= 2 and Request(mix, 0, 1).check()
