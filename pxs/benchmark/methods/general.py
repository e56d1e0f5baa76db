"""General editors: they edit by an instruction in words, and have no intensity.

The instruction is the task's own prompt, which has no words of intensity. The article compares such editors at the full
expression only, and so does this bench: alpha does not scale anything. At 0 nothing is asked, and the edit is the
source; at every alpha above 0 it is one and the same edit. So a task is one request, and tables give general editors no
figures of linear control.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from PIL import Image

from pxs.data.tasks import Task
from pxs.expressions import EXPRESSIONS, Mix, prompt

Size = tuple[int, int]
"""Width and height."""


class General(ABC):
    """An editor by instruction. `name` is its own; subclasses give `picture`, and `frame` where they cut pictures.

    `lacks` says in a few words why it cannot run here, and is empty if it can: a bench then goes on without it.
    """

    general = True
    """It reads the task's prompt, and has no intensity."""
    name: str
    lacks: str = ""

    def supports(self, expression: str) -> bool:
        """Every expression: it is a word of the prompt."""
        return expression in EXPRESSIONS

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """The source for mixes without a positive intensity, one edit by the task's prompt for all others.

        All are as large as the source. Raises what `picture` raises.
        """
        source = task.open()
        asked = [any(intensity > 0 for intensity in mix.values()) for mix in mixes]
        edited = self._edited(source, instruction(task)) if any(asked) else source
        return [edited if wanted else source for wanted in asked]

    def _edited(self, source: Image.Image, text: str) -> Image.Image:
        """The edit, back at its place in the source."""
        return restored(source, self.picture(self.shown(source), text), self.frame(source.size))

    def shown(self, source: Image.Image) -> Image.Image:
        """What the editor is given of a source: its `frame`."""
        size = self.frame(source.size)
        if size == source.size:
            return source
        return source.crop(inside(source.size, size)).resize(size, Image.Resampling.LANCZOS)

    def frame(self, size: Size) -> Size:
        """The size that a picture is given to the editor at: another aspect cuts it, around its centre."""
        return size

    @property
    @abstractmethod
    def provenance(self) -> Mapping[str, str]:
        """What an edit depends on, beside the task's picture and prompt."""

    @abstractmethod
    def picture(self, image: Image.Image, text: str) -> Image.Image:
        """The editor's own picture, RGB and of any size, of an RGB image and an instruction."""


def instruction(task: Task) -> str:
    """The task's prompt; where it has none, that of its expression."""
    return task.prompt or prompt(task.expression, task.domain)


def inside(size: Size, aspect: Size) -> tuple[int, int, int, int]:
    """The largest box of an aspect (width, height) in a picture of a size, in its centre: left, top, right, bottom."""
    scale = min(size[0] / aspect[0], size[1] / aspect[1])
    width, height = (max(1, round(scale * side)) for side in aspect)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def restored(source: Image.Image, edit: Image.Image, aspect: Size) -> Image.Image:
    """The source with an edit of its `inside(size, aspect)` put back there, at the size of the source.

    An editor's picture that has another size is resized (Lanczos); what was cut off before is the source's own.
    """
    left, top, right, bottom = inside(source.size, aspect)
    whole = source.copy()
    whole.paste(edit.convert("RGB").resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return whole
