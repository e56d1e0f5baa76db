"""General editors behind a service, tested against local servers that answer in the format of each."""

import base64
import io
import json

import numpy as np
import pytest
from local_server import KEY, Cut
from local_service import ANSWER, Service, coded, gemini, openai, picture_file
from PIL import Image

from pxs.benchmark.methods.context import Context, GeneralSettings
from pxs.benchmark.methods.remote import RETRIES, TRIES, Remote
from pxs.benchmark.methods.services import SERVICES
from pxs.data.tasks import Task
from pxs.errors import ServiceError, ServiceSetupError
from pxs.expressions import Mix

NAMES = tuple(SERVICES)
TEXT = "Edit the person to show a happy expression"


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for one in SERVICES.values():
        monkeypatch.setenv(one.key, KEY)
    with Service() as server:
        yield server


@pytest.fixture
def source():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8))


def editor_at(service, name, **settings):
    return Remote(Context(general=GeneralSettings(urls={name: service.url}, **settings)), name)


def task(source, text=TEXT):
    return Task("t", "human", "happy", text, source, (0, 0, *source.size))


def edited(editor, source):
    return editor.edit(task(source), [Mix(), Mix(happy=0.5), Mix(happy=1)])


@pytest.mark.parametrize("name", NAMES)
def test_one_request_a_task_by_its_own_prompt(name, service, source):
    service.answers = [ANSWER[name](picture_file())]
    zero, half, full = edited(editor_at(service, name, prices={name: 0.5}), source)
    assert zero.tobytes() == source.tobytes() and half.tobytes() == full.tobytes()
    assert full.size == source.size and full.getpixel((9, 9)) == (0, 0, 255)
    assert len(service.requests) == 1


def sent_picture(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


def test_nano_banana_pro_is_asked_as_googles_rest_format_says(service, source):
    service.answers = [gemini(picture_file())]
    edited(editor_at(service, "nano_banana_pro"), source)
    (asked,) = service.requests
    assert asked.path == "/v1/models/gemini-3-pro-image:generateContent"
    assert asked.headers["x-goog-api-key"] == KEY and "authorization" not in asked.headers
    text, image = asked.fields["contents"][0]["parts"]
    assert text == {"text": TEXT} and image["inlineData"]["mimeType"] == "image/png"
    assert sent_picture(base64.b64decode(image["inlineData"]["data"])) == source.tobytes()
    config = asked.fields["generationConfig"]
    assert config["responseModalities"] == ["TEXT", "IMAGE"]
    assert config["imageConfig"] == {"aspectRatio": "1:1", "imageSize": "1K"}


def test_gpt_image_is_asked_by_the_form_that_edits(service, source):
    service.answers = [openai(picture_file())]
    edited(editor_at(service, "gpt_image"), source)
    (asked,) = service.requests
    assert asked.path == "/v1/images/edits" and asked.headers["authorization"] == f"Bearer {KEY}"
    assert sent_picture(asked.fields.pop("image")) == source.tobytes()
    assert asked.fields == {
        "model": "gpt-image-1.5",
        "prompt": TEXT,
        "size": "1024x1024",
        "quality": "high",
        "input_fidelity": "high",
        "output_format": "png",
        "n": "1",
    }
    later = editor_at(service, "gpt_image", models={"gpt_image": "gpt-image-2"})
    edited(later, source)
    assert service.requests[-1].fields["model"] == "gpt-image-2"
    assert "input_fidelity" not in service.requests[-1].fields  # which later models reject


def test_seedream_is_asked_by_the_address_that_generates(service, source):
    service.answers = [openai(picture_file())]
    edited(editor_at(service, "seedream"), source)
    (asked,) = service.requests
    assert asked.path == "/v1/images/generations" and asked.headers["authorization"] == f"Bearer {KEY}"
    head, _, data = asked.fields.pop("image").partition(",")
    assert head == "data:image/png;base64" and sent_picture(base64.b64decode(data)) == source.tobytes()
    assert asked.fields == {
        "model": "doubao-seedream-4-5-251128",
        "prompt": TEXT,
        "size": "2048x2048",
        "response_format": "b64_json",
        "watermark": False,
        "sequential_image_generation": "disabled",
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(60, 80), (300, 100), (40, 160), (2400, 1800)])
def test_pictures_of_any_aspect_come_back_in_place(name, size, service, monkeypatch):
    ramp = np.linspace(0, 255, size[0])[None, :, None] * np.ones((size[1], 1, 3))
    source, editor = Image.fromarray(ramp.astype(np.uint8)), editor_at(service, name)
    shown = []
    monkeypatch.setattr(editor, "picture", lambda image, text: shown.append(image) or image)
    (edit,) = editor.edit(task(source), [Mix(happy=1)])
    difference = np.abs(np.asarray(edit, dtype=float) - np.asarray(source, dtype=float))
    assert edit.size == size and difference.max() <= 8 and max(shown[0].size) <= 1536
    aspects = [w / h for w, h in (shown[0].size, SERVICES[name].frame(size))]
    assert aspects[0] == pytest.approx(aspects[1], rel=0.03)


UNUSABLE = {
    "nothing": lambda name: ANSWER[name](),
    "an empty object": lambda name: {},
    "no JSON": lambda name: b"{",
    "a list": lambda name: b"[]",
    "a cut picture": lambda name: ANSWER[name](picture_file(size=(200, 200))[:120]),
    "no picture": lambda name: ANSWER[name](b"words"),
    "no base64": lambda name: json.loads(json.dumps(ANSWER[name](b"\0" * 9)).replace(coded(b"\0" * 9), "???")),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_an_answer_without_a_usable_picture_is_asked_for_again_but_not_for_ever(name, answer, service, source):
    service.answers = [answer(name), ANSWER[name](picture_file())]
    assert edited(editor_at(service, name), source)[-1].getpixel((0, 0)) == (0, 0, 255)
    assert len(service.requests) == 2
    service.answers = [answer(name)]
    with pytest.raises(ServiceError, match=f"gave no usable picture in {TRIES} tries") as caught:
        edited(editor_at(service, name), source)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, ServiceSetupError)
    assert len(service.requests) == 2 + TRIES


FILTERED = {
    "nano_banana_pro": [
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
        gemini(finish="IMAGE_SAFETY"),
        gemini(finish="PROHIBITED_CONTENT"),
        gemini(text="I cannot edit pictures of people."),
    ],
    "gpt_image": [
        (400, {"error": {"message": "Your request was rejected by the safety system.", "code": "moderation_blocked"}})
    ],
    "seedream": [
        (400, {"error": {"code": "InputImageSensitiveContentDetected", "message": "The request failed."}}),
        {"data": [{"error": {"code": "OutputImageSensitiveContentDetected", "message": "The request failed."}}]},
    ],
}


@pytest.mark.parametrize(("name", "answer"), [(name, one) for name, several in FILTERED.items() for one in several])
def test_a_refusal_is_a_failure_of_its_task_and_never_asked_again(name, answer, service, source):
    service.answers = [answer]
    with pytest.raises(ServiceError, match=f"{SERVICES[name].title} refused: ") as caught:
        edited(editor_at(service, name), source)
    assert not isinstance(caught.value, ServiceSetupError) and len(service.requests) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_fails_for_a_while_is_asked_again(name, status, service, source):
    service.answers = [(status, {"error": {"message": "busy"}}), ANSWER[name](picture_file())]
    assert edited(editor_at(service, name), source)[-1].getpixel((0, 0)) == (0, 0, 255)
    assert len(service.requests) == 2


def test_a_connection_that_is_cut_is_tried_again(service, source):
    whole = json.dumps(openai(picture_file(size=(300, 300)))).encode()
    service.answers = [Cut(whole), whole]
    assert edited(editor_at(service, "gpt_image"), source)[-1].getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_that_always_fails_ends_the_run(name, service, source):
    service.answers = [(429, {"error": {"message": f"too many for {KEY}"}})]
    with pytest.raises(ServiceSetupError, match=r"failed \(.*429.*check ") as caught:
        edited(editor_at(service, name), source)
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)
    assert len(service.requests) == 1 + RETRIES


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_is_refused_ends_the_run_and_is_not_shown(name, service, source):
    service.answers = [(401, {"error": {"message": f"wrong key {KEY}"}})]
    with pytest.raises(ServiceSetupError, match=rf"401.*\*\*\*.*check {SERVICES[name].key}") as caught:
        edited(editor_at(service, name), source)
    assert KEY not in str(caught.value) and len(service.requests) == 1


def test_googles_way_to_refuse_a_key_is_known_also_later(service, source):
    refused = (400, {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}})
    service.answers = [gemini(picture_file()), refused]
    editor = editor_at(service, "nano_banana_pro")
    edited(editor, source)
    with pytest.raises(ServiceSetupError, match="API key not valid"):
        edited(editor, source)


def test_an_answer_that_complains_of_a_picture_fails_its_task_once_the_service_has_answered(service, source):
    odd = (400, {"error": {"message": "the image is too small"}})
    service.answers = [odd]
    editor = editor_at(service, "gpt_image")
    with pytest.raises(ServiceSetupError, match="too small"):  # the model or a setting may be what is wrong
        edited(editor, source)
    service.answers = [openai(picture_file()), odd]
    edited(editor, source)
    with pytest.raises(ServiceError, match=r"too small.*check the picture") as caught:
        edited(editor, source)
    assert not isinstance(caught.value, ServiceSetupError)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_that_hangs_is_given_up_after_the_timeout(name, service, source, monkeypatch):
    monkeypatch.setattr("pxs.benchmark.methods.remote.RETRIES", 1)
    service.answers, service.listed = [Service.HANG], Service.HANG
    editor = editor_at(service, name, timeout=0.3)
    for ask in (editor.check, lambda: edited(editor, source)):
        with pytest.raises(ServiceSetupError, match="timed out.*--editor-timeout"):
            ask()
    assert (len(service.requests), service.looked) == (2, 2)


@pytest.mark.parametrize(("status", "passes"), [(200, True), (404, True), (403, True), (401, False), (500, False)])
def test_the_service_is_tried_before_anything_is_paid(status, passes, service):
    editor, service.listed = editor_at(service, "seedream"), status
    if passes:
        editor.check()
    else:
        with pytest.raises(ServiceSetupError, match=f"{status}.*check ARK_API_KEY") as caught:
            editor.check()
        assert KEY not in str(caught.value)
    assert service.requests == [] and service.looked > 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_kept_by_its_content_and_not_paid_twice(kind, service, source, tmp_path, monkeypatch):
    service.answers = [gemini(picture_file(kind=kind))]
    settings = {"cache": tmp_path, "prices": {"nano_banana_pro": 0.5}}
    paying = editor_at(service, "nano_banana_pro", **settings)
    assert not paying.knows(task(source))
    first = edited(paying, source)
    assert paying.usage == "nano_banana_pro: 1 answers of the service, 0 from the cache, cost at most 0.5000"
    monkeypatch.delenv("GEMINI_API_KEY")
    again = editor_at(service, "nano_banana_pro", **settings)
    assert again.lacks == "no key: set GEMINI_API_KEY" and again.knows(task(source))
    assert [i.tobytes() for i in edited(again, source)] == [i.tobytes() for i in first]
    assert again.usage == "nano_banana_pro: 0 answers of the service, 1 from the cache, cost at most 0.0000"
    assert len(service.requests) == 1
    assert not again.knows(task(source, "Edit the person to show a sad expression"))
    assert not again.knows(task(source.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    assert not editor_at(service, "nano_banana_pro", models={"nano_banana_pro": "other"}, **settings).knows(
        task(source)
    )
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:30])
    assert not again.knows(task(source))


def test_an_impossible_model_or_address_is_refused_before_anything_is_sent():
    with pytest.raises(ServiceSetupError, match="is no name"):
        Remote(Context(general=GeneralSettings(models={"gpt_image": " "})), "gpt_image")
    with pytest.raises(ServiceSetupError, match="gpt_image's address has a name, a password") as caught:
        Remote(Context(general=GeneralSettings(urls={"gpt_image": "http://me:secret@h/v1"})), "gpt_image")
    assert "secret" not in str(caught.value)
