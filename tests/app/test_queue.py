"""Many tabs at once: nobody waits behind one who asks for much, and what a tab has is there when it comes back."""

import asyncio

from app_client import HAPPY, STEPS, Tab, opened

import pxs
from pxs.editing.request import Request
from pxs.expressions import Mix


def test_ten_at_once_are_served_in_turn_and_told_their_place(tabs, app):
    order = []

    async def run(*ten):
        for tab in ten:
            await tab.until("finished")
            tab.events.clear()
        with app.held():
            for number, tab in enumerate(ten):
                tab.wish("edit", mix={"sad": 1}, seed=number, steps=1)
                await tab.until("queue", place=number + 1)
            ten[4].wish("edit", mix={"fear": 1}, seed=55, steps=1)  # who waits keeps the place
            await ten[4].until("queue", place=5)
            for number, tab in enumerate(ten):
                tab.session.listeners.add(lambda event, number=number: finished(ten, number, event))
        for number, tab in enumerate(ten):
            await tab.until("finished", seed={0: 99, 4: 55}.get(number, number))
        return [[event["place"] for event in tab.events if event["kind"] == "queue"] for tab in ten]

    def finished(ten, number, event):
        if event["kind"] == "finished":
            order.append((number, event["seed"]))
            if number == 0 and event["seed"] == 0:  # asks again at once, and goes to the end
                ten[0].session.ask(Request(Mix(sad=0.5), 99, 1))

    for number, places in enumerate(tabs(run, app, 10)):
        told = list(dict.fromkeys(places))
        wanted = list(range(number + 1, 0, -1))
        assert told == wanted if number else told[:1] == wanted, (number, places)
    assert order == [*((n, 55 if n == 4 else n) for n in range(10)), (0, 99)]


def test_a_long_edit_is_put_aside_for_others_and_goes_on_after_them(tabs, app, editor, monkeypatch):
    monkeypatch.setattr("pxs.app.engine.TURN_SECONDS", -1.0)
    order = []

    async def run(long, short):
        for tab in (long, short):
            await tab.until("finished")
            tab.session.listeners.add(
                lambda event: order.append(event.get("steps")) if event["kind"] == "finished" else 0
            )
        with app.held():
            long.wish("edit", mix={"sad": 1}, seed=1, steps=7)
            await long.until("queue", place=1)
            short.wish("edit", mix={"sad": 1}, seed=1, steps=STEPS)
            await short.until("queue", place=2)
        await long.until("finished", steps=7)
        return (await long.fetch("edit.png")).body

    long = tabs(run, app, 2)
    assert order == [STEPS, 7]
    source = pxs.draw(pxs.Identity.sample(400000))
    assert opened(long).tobytes() == editor.open(source).edit(Mix(sad=1), 1, 7, progress=False)[0].tobytes()


def test_a_cancelled_edit_leaves_the_last_one(tabs, app):
    async def run(tab):
        await tab.edited()
        tab.wish("edit", mix={"sad": 1}, seed=1, steps=900)
        await tab.until("step", of=900)
        tab.wish("cancel")
        settings = await tab.until("settings")
        last = await tab.until("finished")
        await tab.edited(seed=9)
        return settings, last, [event for event in tab.events if event["kind"] == "finished" and event["steps"] == 900]

    settings, last, unwanted = tabs(run, app)
    assert settings["mix"] == {"happy": 1} and last["seed"] == 7 and unwanted == []


def test_a_draft_follows_a_slider_where_nobody_waits(tabs, app):
    async def run(tab):
        await tab.edited()
        app.engine.step_seconds = 0.01  # whatever this machine needs
        tab.wish("edit", **HAPPY, draft=True)
        draft = await tab.until("draft")
        app.engine.step_seconds = 10
        tab.wish("edit", **HAPPY, draft=True)
        await tab.edited(seed=9)
        return draft, [event["kind"] for event in tab.events].count("draft")

    draft, count = tabs(run, app)
    assert draft["image"].startswith("data:image/jpeg") and count == 1


def test_the_same_key_finds_its_session_again(tabs, app):
    async def run(tab):
        await tab.edited()
        await tab.close()
        tab.events.clear()
        await tab.connect()
        hello, settings = await tab.until("hello"), await tab.until("settings")
        return hello["known"], settings["mix"], (await tab.until("finished"))["seed"]

    assert tabs(run, app) == (True, {"happy": 1}, 7)


def test_the_session_that_was_left_longest_ago_makes_room(tabs, app, monkeypatch):
    async def run(*three):
        monkeypatch.setattr("pxs.app.desk.MOST_SESSIONS", 3)
        for tab in three:
            await tab.until("hello")
        folders = [tab.session.shelf.folder for tab in three]
        fourth = await Tab(app).connect()
        full = await fourth.until("full")
        await fourth.close()
        assert "try again later" in full["message"]
        for tab in (three[1], three[0]):
            await tab.close()
            while tab.session.listeners:
                await asyncio.sleep(0.01)
        await fourth.connect()
        await fourth.until("finished")
        await fourth.close()
        for tab in three[:2]:
            await tab.connect()
        return [folder.exists() for folder in folders]

    app.desk.sessions.clear()
    assert tabs(run, app, 3) == [True, False, True]
