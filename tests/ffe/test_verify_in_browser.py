"""The page on which people check scores, in a real browser: by keyboard alone, offline and served.

Runs where playwright and a Chromium are installed; skipped elsewhere.
"""

import json
import re
import subprocess
import sys

import pytest
from chromium import launched, needs_chromium, playwright

from pxs.ffe.annotate import Label
from pxs.ffe.asking import Effort, plan_questions
from pxs.ffe.manifest import read
from pxs.ffe.pages import write_pages
from pxs.ffe.verify import verify

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture
def asked(data_set):
    found = plan_questions(read(data_set, "labels", Label), Effort(2, 0.15, 0.0), seed=0)
    write_pages(found, data_set)
    return found


def watched(context):
    page, errors = context.new_page(), []
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    return page, errors


def says(page, selector, text):
    """Wait until a part of the page says this."""
    playwright.expect(page.locator(selector)).to_have_text(text, timeout=120_000)


def begin(page):
    """Press the first button, and wait until there is a picture."""
    page.locator("#start").press("Enter")
    says(page, "#verify h1", re.compile("^[0-9]+ of "))


def check_all(page, count):
    """Accept, correct, reject, and accept what is left, by keys alone."""
    begin(page)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    for _ in range(count - 3):
        page.keyboard.press("Enter")
    says(page, ".state", "All pictures are checked. Thank you. Go back to change an answer.")


def test_offline_and_by_keyboard_a_person_saves_verdicts_that_are_taken(browser, data_set, asked, tmp_path):
    rater, items = next(iter(asked.raters.items()))
    assert len(items) == 3
    context = browser.new_context(viewport={"width": 360, "height": 700}, offline=True)
    page, errors = watched(context)
    page.goto(f"file://{data_set / 'verify' / 'pages' / rater}.html")
    check_all(page, len(items))
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    with page.expect_download() as download:
        page.keyboard.press("Enter")  # the button that saves has the focus
    file = tmp_path / "saved.json"
    download.value.save_as(file)
    context.close()
    assert errors == []
    said = json.loads(file.read_text())["answers"]
    assert [(one["item"], one["verdict"]) for one in said] == list(
        zip(items, ["accepted", "corrected", "rejected"], strict=True)
    )
    shown = asked.items[items[1]].scores
    moved = {name: value for name, value in said[1]["scores"].items() if value != pytest.approx(shown[name])}
    assert len(moved) == 1 and next(iter(moved.values())) == pytest.approx(0.15)
    done, _ = verify(data_set, [file])
    assert sorted(one.status for one in done if one.verdicts) == ["accepted", "corrected", "rejected"]


def test_served_verdicts_arrive_and_survive_a_reload(browser, data_set, asked):
    command = [sys.executable, "-m", "pxs", "ffe", "serve", str(data_set), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        link = process.stdout.readline().strip()
        assert link, process.stderr.read()
        context = browser.new_context()
        page, errors = watched(context)
        page.goto(link)
        assert page.title() == "Faces: check the scores"
        page.click("button")
        check_all(page, 3)
        says(page, "#sent", "All answers have arrived.")
        page.evaluate("localStorage.clear()")
        page.reload()
        begin(page)
        says(page, ".state", re.compile("^You said: "))
        second = watched(context)[0]
        second.goto(link)
        second.click("button")  # the place of another person
        begin(second)
        second.keyboard.press("Enter")
        says(second, "#sent", "All answers have arrived.")
        second.once("dialog", lambda dialog: dialog.accept())
        second.click("#delete")
        says(second, "#verify h1", re.compile("^1 of "))
        says(second, ".state", "")
        assert errors == []
        context.close()
    finally:
        process.kill()
        process.communicate()
    done, agreed = verify(data_set)
    assert agreed["answers"] == 3
    assert sorted(one.status for one in done if one.verdicts) == ["accepted", "corrected", "rejected"]
