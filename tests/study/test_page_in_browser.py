"""A rater's page in a real browser: by keyboard alone, offline, on a narrow screen, and served.

Runs where playwright and a Chromium are installed; skipped elsewhere.
"""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from chromium import launched, needs_chromium

from pxs.cli import main
from pxs.study.answers import read_answers
from pxs.study.key import PAIR, read_key

pytestmark = needs_chromium
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@pytest.fixture
def study(bench_folder, tmp_path):
    out = tmp_path / "study"
    flags = ["--out", str(out), "--raters", "2", "--questions", "6", "--pairs", "2"]
    assert main(["study", "make", str(bench_folder), *flags]) == 0
    return out


@contextmanager
def opened(browser, address, **options):
    """A page, without any error on its console at the end."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address)
    yield page
    context.close()
    assert errors == []


def first_page(study):
    rater = next(iter(read_key(study).raters))
    return f"file://{study / 'pages' / rater}.html", rater


def answer_all(page, digits="23"):
    while page.is_visible("#question"):
        for digit in digits:
            page.keyboard.press(digit)
        page.keyboard.press("Enter")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_offline_and_by_keyboard_alone_a_rater_saves_answers_that_are_taken(browser, study, tmp_path, viewport):
    address, rater = first_page(study)
    with opened(browser, address, viewport=viewport, offline=True) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "start"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "heading"
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.keyboard.press("Enter")  # nothing is answered yet
        assert page.inner_text("#problem") == "Please answer both questions."
        answer_all(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "save"
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        download.value.save_as(tmp_path / "answers.json")
    key = read_key(study)
    assert download.value.suggested_filename == f"answers-{rater}.json"
    assert json.loads((tmp_path / "answers.json").read_text()).keys() == {"study", "rater", "answers"}
    answers = read_answers(key, [tmp_path / "answers.json"], study)[rater]
    assert list(answers) == list(key.raters[rater])
    for name, answer in answers.items():
        choice = key.items[name].kind == PAIR  # 2 is "no difference" there, and 3 the second row
        assert answer.values == ({"continuity": 0.5, "identity": 0} if choice else {"continuity": 2, "identity": 3})


def test_answers_survive_a_reload_can_be_corrected_and_are_deleted(browser, study):
    with opened(browser, first_page(study)[0]) as page:
        page.click("#start")
        for digit in ("4", "5", "Enter", "1", "1", "Enter"):
            page.keyboard.press(digit)
        before = page.evaluate("JSON.stringify(answers)")
        page.reload()
        assert page.is_visible("#question") and page.evaluate("index") == 2
        assert page.evaluate("JSON.stringify(answers)") == before
        page.keyboard.press("Backspace")
        assert page.locator(":checked").evaluate_all("all => all.map(one => one.value)") == ["1", "1"]
        page.get_by_role("group", name="Is it the same person").get_by_role("radio", name="5").check()
        assert page.evaluate("answers[study.items[1].id].identity") == 5
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("#delete")
        assert page.is_visible("#consent") and page.evaluate("localStorage.length") == 0


def test_a_screen_reader_finds_names_for_everything(browser, study):
    with opened(browser, first_page(study)[0]) as page:
        page.click("#start")
        assert page.get_by_role("heading", level=1).inner_text().startswith("Question 1 of 14: from neutral to ")
        for number in range(1, 7):
            assert page.get_by_role("img", name=f"Picture {number} of 6").is_visible()
        assert page.get_by_role("img", name="The person before any change").is_visible()
        for question in ("Does the expression grow evenly", "Is it the same person"):
            group = page.get_by_role("group", name=question)
            assert group.get_by_role("radio").count() == 5
            assert group.get_by_role("radio", name="1: ").count() == group.get_by_role("radio", name="5: ").count() == 1
        assert page.get_by_role("progressbar", name="Answered questions").count() == 1


@contextmanager
def served(study, port=0):
    command = [sys.executable, "-m", "pxs", "study", "serve", str(study), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_served_answers_arrive_and_wait_while_the_server_is_away(browser, study):
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    with served(study) as (process, link):
        page.goto(link)
        page.click("text=Take part")
        page.click("#start")
        for digit in ("4", "5", "Enter"):
            page.keyboard.press(digit)
        page.wait_for_function("unsent.size === 0 && Object.keys(answers).length === 1", timeout=60_000)
        process.send_signal(signal.SIGKILL)
        process.wait()
    answer_all(page)
    page.wait_for_selector("text=answers are not sent yet")
    with served(study, int(link.split(":")[2].split("/")[0])):
        page.wait_for_selector("text=All your answers have arrived", timeout=60_000)
        key = read_key(study)
        (rater, answers), *_ = read_answers(key, [], study).items()
        assert list(key.raters[rater]) == [name for name in key.raters[rater] if name in answers]
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("#delete")
        page.wait_for_selector("#consent:not([hidden])")
        context.close()
    with pytest.raises(Exception, match="there are no answers"):
        read_answers(key, [], study)
