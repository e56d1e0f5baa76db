"""`Session`: one tab of a browser: what it wants, and what it has."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from pxs.app import offers
from pxs.app.choice import Choice, Opened, Origin, Settings, open_choice, plain, settings_in
from pxs.app.engine import DRAFT_STEPS, Engine
from pxs.app.lines import Model, command_line, python_line
from pxs.app.offers import Sample
from pxs.app.shelf import Shelf, data_url
from pxs.batch.presets import Preset, write_preset
from pxs.editing.edits import Edits
from pxs.editing.sampling import DenoisingStep
from pxs.errors import ImageError, OutputError, PxsError, one_line
from pxs.expressions import DOMAINS, Mix
from pxs.images import picture_hash
from pxs.panel.worker import Request, previewed

LONGEST = 1024
"""Longest side of a picture that is sent to the page, in pixels."""
MOST_PREVIEWED = 2_000_000
"""Pixels of the largest picture whose unfinished edits are shown."""
REMEMBERED = 12
"""Pictures of a session that are found again by an edit of them."""

FIRST, START = Sample("human", 0), Request(Mix(), 42, 20)
"""What a new session shows."""

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Wanted:
    """A picture and the edit of it. draft: whether a slider is being dragged, and a rough edit will do."""

    choice: Choice
    request: Request
    draft: bool = False


class Session:
    """What one tab wants and has. The thread of `engine` serves it; all other methods are for the server's thread.

    `listeners` are called with what happens, from either thread: {"kind": ..., and facts}.
    """

    def __init__(self, engine: Engine, model: Model, folder: Path) -> None:
        self.engine, self.model, self.shelf = engine, model, Shelf(folder)
        self.wanted = Wanted(Choice.of_sample(FIRST), START)
        self.opened: Opened | None = None
        self.edits: Edits | None = None
        self.listeners: set[Listener] = set()
        self.left = time.monotonic()  # when the last listener went
        self._sources: dict[Origin, Choice] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def tell(self, kind: str, **facts: Any) -> None:
        """Tell all listeners."""
        for listener in tuple(self.listeners):
            listener({"kind": kind, **facts})

    # What the page asks for

    def choose(self, choice: Choice) -> None:
        """Open another picture, and edit it as the sliders are set; a file of ours sets the sliders first."""
        self._want(choice=choice, draft=False)

    def ask(self, request: Request, draft: bool = False) -> None:
        """Edit the picture; a draft is left out where it would be slow or hold up others."""
        if not draft or self.engine.has_time_for(self):
            self._want(request=request, draft=draft)

    def cancel(self) -> None:
        """Give up the edit that runs or waits, and go back to the last finished one."""
        with self._lock:
            last = None if self.edits is None else request_of(self.edits)
            self.wanted = replace(self.wanted, request=last or self.wanted.request, draft=False)
        self.engine.leave(self)
        for event in self.state():
            self.tell(**event)

    def keep(self) -> None:
        """Keep the last finished edit. Raises OutputError where there is no more room."""
        if self.edits and self.opened:
            self.shelf.keep(self.edits, stem_of(self.opened.choice.name), self._lines(self.edits)["command"])
            self.tell("kept", kept=[one.facts for one in self.shelf.kept])

    def remove(self, name: str) -> None:
        """Remove a kept edit."""
        self.shelf.remove(name)
        self.tell("kept", kept=[one.facts for one in self.shelf.kept])

    def file(self) -> tuple[bytes, str]:
        """The last finished edit as a PNG file with its settings in it, and a name for it. Raises OutputError."""
        edits, opened = self.edits, self.opened
        if not edits or not opened:
            raise OutputError("there is no edit yet: move a slider, then wait for the picture")
        name = f"{stem_of(opened.choice.name)}_{edits.mixes[0].slug}.png"
        [file] = edits.save(self.shelf.folder, names=[name], overwrite=True)
        content = file.read_bytes()
        file.unlink()
        return content, name

    def preset(self) -> tuple[bytes, str]:
        """The sliders as a preset for `pxs edit --preset`, and a name for it."""
        wanted = self.wanted
        preset = Preset((wanted.request.mix,), wanted.request.seed, wanted.request.steps, wanted.choice.domain)
        file = write_preset(preset, self.shelf.folder / "preset.json", overwrite=True)
        return file.read_bytes(), f"{wanted.request.mix.slug}.json"

    def stop(self) -> None:
        """End an edit that runs after its current step."""
        self._stopped = True

    def state(self) -> list[dict[str, Any]]:
        """Events that bring a page up to date."""
        events: list[dict[str, Any]] = [_settings(self.wanted.request)]
        if self.opened:
            events.append(_picture(self.opened))
        if self.edits:
            events.append(self._finished(self.edits))
        return [*events, {"kind": "kept", "kept": [one.facts for one in self.shelf.kept]}]

    def _want(self, **changes: Any) -> None:
        with self._lock:
            self.wanted = replace(self.wanted, **changes)
        self.engine.ask(self)

    # In the thread of the engine

    def serve(self) -> None:
        """Open the wanted picture and edit it, until it is done or something else is wanted."""
        try:
            wanted, note = self._resolved(self.wanted)
            opened = self._open(wanted)
            if opened:
                for line in note:
                    self.tell("say", text=line)
                self._edit(opened, wanted)
        except PxsError as error:
            self._failed(one_line(error))
        except Exception as error:
            traceback.print_exc()
            self._failed(f"the edit failed: {one_line(error)}")

    def _superseded(self, wanted: Wanted) -> bool:
        """Whether something else is wanted by now; a draft is not superseded by a further one."""
        now = self.wanted
        further = wanted.draft and now.draft and now.choice is wanted.choice
        return self._stopped or not (now is wanted or further)

    def _resolved(self, wanted: Wanted) -> tuple[Wanted, tuple[str, ...]]:
        """For a file that holds an edit of ours: its source and its settings, and a note; else what is wanted."""
        known = self.opened is not None and self.opened.choice is wanted.choice
        found = None if known or wanted.choice.sample else settings_in(wanted.choice.content)
        if found is None:
            return wanted, ()
        name, source = wanted.choice.name, self._source_of(found)
        note = (
            f"Picture, sliders and seed are those of {name}."
            if source
            else (
                f"Sliders and seed are those of {name}. Its own source is not known here: open that picture, and you "
                "get the same edit again."
            )
        )
        resolved = Wanted(source or (self.opened.choice if self.opened else wanted.choice), found.request)
        with self._lock:
            if self.wanted is wanted:
                self.wanted = resolved
        self.tell(**_settings(found.request))
        return resolved, (note,)

    def _source_of(self, found: Settings) -> Choice | None:
        """The picture that an edit was made of: one that was open in this session, or a sample."""
        samples = (Sample(style, number) for style in DOMAINS for number in range(offers.COUNT))
        known = self._sources.get(found.origin)
        return known or next(
            (Choice.of_sample(one) for one in samples if picture_hash(offers.picture(one)) == found.origin.source), None
        )

    def _open(self, wanted: Wanted) -> Opened | None:
        """The wanted picture, opened; None where it cannot be used, which leaves the one before."""
        if self.opened and self.opened.choice is wanted.choice:
            return self.opened
        self.tell("opening", name=wanted.choice.name)
        try:
            opened = open_choice(self.engine.editor, wanted.choice)
        except ImageError as error:
            self._failed(one_line(error))
            before = self.opened.choice if self.opened else Choice.of_sample(FIRST)
            with self._lock:
                if self.wanted.choice is wanted.choice:
                    self.wanted = replace(self.wanted, choice=before)
            if not self.opened:
                self.engine.ask(self)
            return None
        self.edits, self.opened = None, opened  # in this order: an edit is always one of the opened picture
        self._sources[Origin.of(opened.portrait.provenance)] = wanted.choice
        for oldest in list(self._sources)[:-REMEMBERED]:
            del self._sources[oldest]
        self.tell(**_picture(opened))
        return opened

    def _edit(self, opened: Opened, wanted: Wanted) -> None:
        request = wanted.request._replace(steps=DRAFT_STEPS) if wanted.draft else wanted.request
        mixes, portrait, begun = [request.mix], opened.portrait, time.monotonic()
        self.tell("started", steps=request.steps, draft=wanted.draft)
        for step in portrait.steps(mixes, request.seed, request.steps):
            if self._superseded(wanted):
                return
            if not wanted.draft:
                self._tell_step(opened, step)
        edits = portrait.finish(step, mixes, request.seed)
        self.engine.took(time.monotonic() - begun, request.steps)
        if wanted.draft:
            self.tell("draft", image=data_url(edits[0], LONGEST))
        elif not self._superseded(wanted):
            self.edits = edits
            self.tell(**self._finished(edits))

    def _tell_step(self, opened: Opened, step: DenoisingStep) -> None:
        """Tell how many steps are done, with a preview after some of them."""
        facts: dict[str, Any] = {"count": step.index + 1, "of": step.total}
        width, height = opened.portrait.source.size
        if previewed(step.index, step.total) and width * height <= MOST_PREVIEWED:
            model_picture = opened.portrait.preview(step.clean)[0]
            facts["image"] = data_url(opened.portrait.prepared.restore(model_picture), LONGEST)
        self.tell("step", **facts)

    def _failed(self, message: str) -> None:
        """Tell what went wrong, after showing what is left: the last edit, or the source."""
        if self.opened:
            self.tell(**_picture(self.opened))
        if self.edits:
            self.tell(**self._finished(self.edits))
        self.tell("failed", message=plain(message))

    def _finished(self, edits: Edits) -> dict[str, Any]:
        request = request_of(edits)
        image = data_url(edits[0], LONGEST)
        return {"kind": "finished", "image": image, "mix": str(request.mix), **_numbers(request), **self._lines(edits)}

    def _lines(self, edits: Edits) -> dict[str, str]:
        """The line of Python and the command that make the edit."""
        assert self.opened
        made = self.model, self.opened.choice, self.opened.face, request_of(edits)
        return {"python": python_line(*made), "command": command_line(*made)}


def request_of(edits: Edits) -> Request:
    """The request that an edit of one mix answers."""
    return Request(edits.mixes[0], edits.seed, edits.steps)


def stem_of(name: str) -> str:
    """The stem of a file name, of at most 60 characters that any system takes."""
    return re.sub(r"[^\w-]+", "_", Path(name).stem)[:60].strip("_") or "face"


def _numbers(request: Request) -> dict[str, int]:
    return {"seed": request.seed, "steps": request.steps}


def _settings(request: Request) -> dict[str, Any]:
    return {"kind": "settings", "mix": dict(request.mix), **_numbers(request)}


def _picture(opened: Opened) -> dict[str, Any]:
    """What the page shows of an opened picture; boxes of faces are shares of its width and height."""
    shown: Image.Image = opened.portrait.prepared.shown
    (width, height), choice = opened.portrait.source.size, opened.choice
    return {
        "kind": "picture",
        "image": data_url(shown, LONGEST),
        "width": shown.width,
        "height": shown.height,
        "name": choice.name,
        "domain": choice.domain,
        "sample": None if choice.sample is None else list(choice.sample),
        "faces": [[x / side for x, side in zip(f.box, (width, height) * 2, strict=True)] for f in opened.faces],
        "boxed": shown.size == (width, height),
        "face": opened.face,
        "remarks": list(opened.remarks),
    }
