"""Whatever a file of settings or a word of --set holds, the settings are sound or one line says what is wrong."""

from argparse import Namespace
from dataclasses import fields

from hypothesis import example, given
from hypothesis import strategies as st
from json_values import TEXTS, VALUES, texts

from pxs.commands.train import changes_of
from pxs.errors import TrainingError
from pxs.training.settings import CHOICES, Settings

SOUND = {"model": "mini", "steps": 8, "lr": 0.001, "batch": 2, "contrast": "none", "compile": False, "recipe": "mini"}


def sound_or_one_line(settings_of):
    try:
        settings = settings_of()
    except TrainingError as error:
        assert len(str(error).splitlines()) == 1
        return
    for field in fields(settings):
        value, kind = getattr(settings, field.name), type(field.default)
        assert isinstance(value, (kind, int) if kind is float else kind)
        assert kind in (str, bool) or 0 <= value < float("inf")
    assert all(getattr(settings, name) in choices for name, choices in CHOICES.items())


@given(content=texts(SOUND))
@example(content=b"[" * 100_000)
@example(content=b'{"steps": ' + b"9" * 5000 + b"}")
@example(content=b"[[1]]")
def test_any_file_is_sound_settings_or_one_line(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "settings.json"
    file.write_bytes(content)
    sound_or_one_line(lambda: Settings.load(file))


@given(words=st.lists(st.builds("{}={}".format, st.sampled_from(sorted(SOUND)), TEXTS | VALUES) | TEXTS, max_size=3))
@example(words=["rank=" + "1" * 5000])
@example(words=["rank=" + "[" * 100_000])
def test_any_words_are_sound_settings_or_one_line(words):
    args = Namespace(config=None, set=words, steps=None, seed=None)
    sound_or_one_line(lambda: Settings().updated(changes_of(args)))
