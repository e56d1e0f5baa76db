"""`Session`: one tab of a browser: what it wants, and what it has."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pxs.app import offers
from pxs.app.choice import Opened, Origin, PictureChoice, Settings, open_choice, plain, settings_in
from pxs.app.engine import DRAFT_STEPS, Engine
from pxs.app.events import data_url, finished_event, picture_event, settings_event, stem_of
from pxs.app.lines import Model, command_line
from pxs.app.offers import Sample
from pxs.app.shelf import Shelf
from pxs.batch.presets import Preset, write_preset
from pxs.editing.edits import Edits
from pxs.editing.request import Request, previewed
from pxs.editing.sampling import DenoisingStep
from pxs.errors import ImageError, OutputError, PxsError, one_line
from pxs.expressions import Mix
from pxs.images import picture_hash

MOST_PREVIEWED = 2_000_000
"""Pixels of the largest picture whose unfinished edits are shown."""
REMEMBERED, REMEMBERED_BYTES = 12, 40_000_000
"""Pictures of a session that are found again by an edit of them: so many of the last, and bytes of their files."""

FIRST, START = Sample("human", 0), Request(Mix(), 42, 20)
"""What a new session shows."""

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Wanted:
    """A picture and the edit of it. draft: whether a slider is being dragged, and a rough edit will do."""

    choice: PictureChoice
    request: Request
    draft: bool = False


class Session:
    """What one tab wants and has. The thread of `engine` calls `work`; all other methods are for the server's thread.

    `listeners` are called with what happens, from either thread: {"kind": ..., and facts}.
    """

    def __init__(self, engine: Engine, model: Model, folder: Path) -> None:
        self.engine, self.model, self.shelf = engine, model, Shelf(folder)
        self.wanted = Wanted(PictureChoice.of_sample(FIRST), START)
        self.opened: Opened | None = None
        self.edits: Edits | None = None
        self.listeners: set[Listener] = set()
        self.left = time.monotonic()  # when the last listener went
        self._sources: dict[Origin, PictureChoice] = {}
        self._lock = threading.Lock()
        self._doing = self.wanted  # what is being made, or was last
        self._aside: Iterator[None] | None = None
        self._stopped = False

    def tell(self, kind: str, **facts: Any) -> None:
        """Tell all listeners."""
        for listener in tuple(self.listeners):
            listener({"kind": kind, **facts})

    # What the page asks for

    def choose(self, choice: PictureChoice) -> None:
        """Open another picture, and edit it as the sliders are set; a file of ours sets the sliders first."""
        self._want(choice=choice, draft=False)

    def ask(self, request: Request, draft: bool = False) -> None:
        """Edit the picture; a draft is left out where it would be slow or hold up others."""
        if not draft or self.engine.has_time_for(self):
            self._want(request=request, draft=draft)

    def cancel(self) -> None:
        """Give up the edit that runs or waits, and go back to the last finished one."""
        with self._lock:
            last = None if self.edits is None else Request.of(self.edits)
            self.wanted = replace(self.wanted, request=last or self.wanted.request, draft=False)
        self.engine.leave(self)
        for event in self.state():
            self.tell(**event)

    def keep(self) -> None:
        """Keep the last finished edit. Raises OutputError where there is no more room."""
        if self.edits and self.opened:
            made = self.model, self.opened.choice, self.opened.face, Request.of(self.edits)
            self.shelf.keep(self.edits, stem_of(self.opened.choice.name), command_line(*made))
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
        return self.shelf.written(edits, name), name

    def preset(self) -> tuple[bytes, str]:
        """The sliders as a preset for `pxs edit --preset`, and a name for it."""
        wanted = self.wanted
        preset = Preset((wanted.request.mix,), wanted.request.seed, wanted.request.steps, wanted.choice.domain)
        file = write_preset(preset, self.shelf.folder / "preset.json", overwrite=True)
        return file.read_bytes(), f"{wanted.request.mix.slug}.json"

    def stop(self) -> None:
        """End an edit that runs after its current step, and forget what was kept."""
        self._stopped = True
        self.shelf.clear()

    def state(self) -> list[dict[str, Any]]:
        """Events that bring a page up to date."""
        events: list[dict[str, Any]] = [settings_event(self.wanted.request)]
        if self.opened:
            events.append(picture_event(self.opened))
        if self.edits and self.opened:
            events.append(finished_event(self.model, self.opened, self.edits))
        return [*events, {"kind": "kept", "kept": [one.facts for one in self.shelf.kept]}]

    def _want(self, **changes: Any) -> None:
        with self._lock:
            self.wanted = replace(self.wanted, **changes)
        self.engine.ask(self)

    # In the thread of the engine

    def work(self) -> Iterator[None]:
        """What makes the wanted edit, a denoising step at a time: the one that was put aside, if it is still wanted."""
        aside, self._aside = self._aside, None
        return aside if aside and not self._superseded(self._doing) else self._serve(self.wanted)

    def put_aside(self, work: Iterator[None]) -> None:
        """Let the next `work` go on with this one."""
        self._aside = work

    def _serve(self, wanted: Wanted) -> Iterator[None]:
        """Open the wanted picture and edit it, until it is done or something else is wanted."""
        self._doing = wanted
        try:
            wanted, notes = self._resolved(wanted)
            opened = self._open(wanted)
            if opened:
                for line in notes:
                    self.tell("say", text=line)
                yield from self._edit(opened, wanted)
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
            else f"Sliders and seed are those of {name}. The picture that it was made of is not known here: open that "
            "one, and you get the same edit again."
        )
        resolved = Wanted(source or (self.opened.choice if self.opened else wanted.choice), found.request)
        with self._lock:
            if self.wanted is wanted:
                self.wanted = resolved
        self._doing = resolved
        self.tell(**settings_event(found.request))
        return resolved, (note,)

    def _source_of(self, found: Settings) -> PictureChoice | None:
        """The picture that an edit was made of: one that was open in this session, or a sample."""
        known = self._sources.get(found.origin)
        samples = (s for s in offers.every_sample() if picture_hash(offers.picture(s)) == found.origin.source)
        return known or next(map(PictureChoice.of_sample, samples), None)

    def _open(self, wanted: Wanted) -> Opened | None:
        """The wanted picture, opened; None where it cannot be used, which leaves the one before."""
        if self.opened and self.opened.choice is wanted.choice:
            return self.opened
        self.tell("opening", name=wanted.choice.name)
        try:
            opened = open_choice(self.engine.editor, wanted.choice)
        except ImageError as error:
            self._failed(one_line(error))
            before = self.opened.choice if self.opened else PictureChoice.of_sample(FIRST)
            with self._lock:
                if self.wanted.choice is wanted.choice:
                    self.wanted = replace(self.wanted, choice=before)
            if not self.opened:
                self.engine.ask(self)
            return None
        self.edits, self.opened = None, opened  # in this order: an edit is always one of the opened picture
        self._remember(Origin.of(opened.portrait.provenance), wanted.choice)
        self.tell(**picture_event(opened))
        return opened

    def _remember(self, origin: Origin, choice: PictureChoice) -> None:
        self._sources.pop(origin, None)  # so that it is the newest
        self._sources[origin] = choice
        while len(self._sources) > REMEMBERED or self._remembered_bytes() > REMEMBERED_BYTES:
            del self._sources[next(iter(self._sources))]

    def _remembered_bytes(self) -> int:
        return sum(len(one.content) for one in self._sources.values())

    def _edit(self, opened: Opened, wanted: Wanted) -> Iterator[None]:
        request = wanted.request._replace(steps=DRAFT_STEPS) if wanted.draft else wanted.request
        mixes, portrait, seconds = [request.mix], opened.portrait, 0.0
        self.tell("started", steps=request.steps, draft=wanted.draft, remarks=request.remarks)
        begun = time.monotonic()
        for step in portrait.steps(mixes, request.seed, request.steps):
            seconds += time.monotonic() - begun
            if self._superseded(wanted):
                return
            if not wanted.draft:
                self._tell_step(opened, step)
            yield
            begun = time.monotonic()
        edits = portrait.finish(step, mixes, request.seed)
        self.engine.took(seconds, request.steps)
        if wanted.draft:
            self.tell("draft", image=data_url(edits[0]))
        elif not self._superseded(wanted):
            self.edits = edits
            self.tell(**finished_event(self.model, opened, edits))

    def _tell_step(self, opened: Opened, step: DenoisingStep) -> None:
        """Tell how many steps are done, with a preview after some of them."""
        facts: dict[str, Any] = {"count": step.index + 1, "of": step.total}
        width, height = opened.portrait.source.size
        if previewed(step.index, step.total) and width * height <= MOST_PREVIEWED:
            model_picture = opened.portrait.preview(step.clean)[0]
            facts["image"] = data_url(opened.portrait.prepared.restore(model_picture))
        self.tell("step", **facts)

    def _failed(self, message: str) -> None:
        """Tell what went wrong, after showing what is left: the last edit, or the source."""
        if self.opened:
            self.tell(**picture_event(self.opened))
        if self.edits and self.opened:
            self.tell(**finished_event(self.model, self.opened, self.edits))
        self.tell("failed", message=plain(message))
