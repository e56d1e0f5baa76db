"""A clip: its frames as upright RGB pictures, one at a time (`Clip.pictures`), and a new one from it (`Clip.rewrite`).

PyAV (the extra `video`) reads and writes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pxs.errors import ImageError, OutputError, one_line
from pxs.images import MIN_SIDE
from pxs.optional import require
from pxs.storage.files import replacing, sync_folder
from pxs.storage.paths import PathName, check_path, kind_of

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp")
"""Suffixes of files that are taken for clips."""
READERS = "mov,matroska,avi,mpegts,mpeg,ogg,flv,asf"
"""What FFmpeg may take a file for: no playlists, which name other files."""
MOST_PIXELS, MOST_FRAMES = 4096 * 2304, 18_000
"""Largest frame, and longest clip: ten minutes at 30 frames a second, each edited in a second or in minutes."""
TIMED, LEAST_SHARE = ("mov", "matroska", "avi"), 0.9
"""Kinds of files that state their length, and the share of it that a clip must have, or it was cut short."""
HIGH_RANGE = {16: "PQ", 18: "HLG"}  # transfer characteristics, by the numbers of ITU-T H.273
MATRICES = {1: 1, 4: 4, 7: 7, 9: 9}  # from these numbers to those of swscale, whose 5 is for all others
BT709 = 1


@dataclass(frozen=True)
class Kind:
    """How a clip is written. pixels: the format of its pixels, and that for sides that are odd."""

    suffix: str
    muxer: str
    codec: str
    pixels: tuple[str, str]
    options: dict[str, str]


KINDS = {
    "mp4": Kind(".mp4", "mp4", "libx264", ("yuv420p", "yuv444p"), {"crf": "16", "preset": "fast"}),
    "mkv": Kind(".mkv", "matroska", "ffv1", ("bgr0", "bgr0"), {"level": "3", "g": "1"}),
}
"""By format: H.264, which every player shows, and lossless FFV1."""

Change = Callable[[int, Image.Image], Image.Image]
"""From the number of a frame, from 0, and its picture, to the picture that takes its place, of the same size."""


class _Source(NamedTuple):
    """An open file, its first stream of moving pictures, and its streams of sound."""

    container: Any
    video: Any
    audio: tuple[Any, ...]


class Clip:
    """A video file. frames: how many there are. size: width and height of the upright pictures, in pixels.

    Raises ImageError for a file that is missing, damaged, cut short or no video, for one that is too large or too long,
    of high dynamic range, and without the extra `video`. Warns of opacity, which is left out.
    """

    def __init__(self, path: PathName) -> None:
        self.path = check_path(path)
        self._av = require("av", "video", ImageError)
        kind = kind_of(self.path)
        if kind != "file":
            what = {"": "does not exist", "folder": "is a folder"}.get(kind, "is not a regular file")
            raise ImageError(f"{self._name} {what}: give the path of a clip")
        with self._opened() as source:
            self._coded = source.video.width, source.video.height
            self._check_size(*self._coded)
            self.frames = self._count(source)
        self.size = next(self.pictures()).size

    @property
    def _name(self) -> str:
        return repr(str(self.path))

    def pictures(self) -> Iterator[Image.Image]:
        """The frames, RGB and upright. Raises ImageError where the file is damaged."""
        with self._opened() as source:
            found = 0
            for part in self._parts(source):
                if not isinstance(part, self._av.Packet):
                    found += 1
                    yield self._picture(part)
        if not found:
            raise ImageError(f"{self._name} holds no frame that can be read: copy or download the clip again")

    def rewrite(self, target: PathName, kind: Kind, change: Change, note: str) -> None:
        """Write the clip with other pictures to `target`, whole or not at all; the sound is copied as it is.

        note: kept in the file as its comment. Raises OutputError where it cannot be written, and for sound that the
        format cannot hold.
        """
        with replacing(target) as file, self._opened() as source:
            try:
                with self._av.open(file, "w", format=kind.muxer) as made:
                    made.metadata["comment"] = note
                    self._write(source, made, kind, change)
            except self._av.error.PyAVCallbackError as error:  # of the file, whose own error it hides
                raise _first_cause(error) from None
        sync_folder(check_path(target).parent)

    def _write(self, source: _Source, made: Any, kind: Kind, change: Change) -> None:
        """Fill a new file."""
        video, audio = self._add_streams(source, made, kind)
        number, last = 0, None
        for part in self._parts(source):
            if isinstance(part, self._av.Packet):
                part.stream = audio[part.stream.index]
                made.mux(part)
                continue
            frame = self._encodable(change(number, self._picture(part)), part, video)
            if frame.pts is None or (last is not None and frame.pts <= last):
                frame.pts = 0 if last is None else last + 1
            number, last = number + 1, frame.pts
            made.mux(video.encode(frame))
        made.mux(video.encode(None))

    @contextmanager
    def _opened(self) -> Iterator[_Source]:
        options = {"format_whitelist": READERS, "max_pixels": str(MOST_PIXELS)}
        with open(self.path, "rb") as file:
            try:
                container = self._av.open(file, "r", options=options, metadata_errors="ignore")
            except (OSError, ValueError) as error:
                raise self._damaged(error) from None
            with container:
                cover = self._av.stream.Disposition.attached_pic
                moving = [stream for stream in container.streams.video if not stream.disposition & cover]
                if not moving:
                    raise ImageError(f"{self._name} has no moving pictures: give a clip that has")
                yield _Source(container, moving[0], tuple(container.streams.audio))

    def _parts(self, source: _Source) -> Iterator[Any]:
        """Frames, and packets of sound, as they come."""
        try:
            for packet in source.container.demux(source.video, *source.audio):
                if packet.stream.type == "video":
                    yield from packet.decode()
                elif packet.dts is not None:
                    yield packet
        except (OSError, ValueError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: BaseException) -> ImageError:
        text = getattr(error, "strerror", None) or one_line(error)
        return ImageError(f"{self._name} is no clip, or damaged ({text}): copy or download it again")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > MOST_PIXELS:
            raise ImageError(f"{self._name} has {width} x {height} pixels, more than {MOST_PIXELS}: scale it down")
        if min(width, height) < MIN_SIDE:
            size = f"{width} x {height} pixels" if width else f"no known size, or more than {MOST_PIXELS} pixels"
            raise ImageError(f"{self._name} has {size}: give a clip of at least {MIN_SIDE} on each side")

    def _count(self, source: _Source) -> int:
        """The number of frames, none of which is decoded."""
        count, end = 0, 0.0
        try:
            for packet in source.container.demux(source.video, *source.audio):
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                count += packet.stream.type == "video" and packet.size > 0
                if count > MOST_FRAMES:
                    raise ImageError(
                        f"{self._name} has more than {MOST_FRAMES} frames, each of which is edited alone: cut it first"
                    )
        except (self._av.FFmpegError, OSError) as error:
            raise self._damaged(error) from None
        timed = source.container.format.name.startswith(TIMED)  # of others the length is estimated
        stated = timed * ((source.container.duration or 0) + max(0, source.container.start_time or 0)) / 1e6
        if count < LEAST_SHARE * source.video.frames or end < LEAST_SHARE * stated:
            raise ImageError(f"{self._name} is cut short, at {end:.1f} of {stated:.1f} seconds: copy it again")
        if any(part.is_alpha for part in getattr(source.video.format, "components", ())):
            warnings.warn(f"{self._name} has opacity, which is left out", stacklevel=4)
        return count

    def _picture(self, frame: Any) -> Image.Image:
        """The picture of a frame."""
        if frame.color_trc in HIGH_RANGE:
            kind = HIGH_RANGE[frame.color_trc]
            raise ImageError(f"{self._name} is of high dynamic range ({kind}): convert it to standard range first")
        if (frame.width, frame.height) != self._coded:
            raise ImageError(f"{self._name} changes its size to {frame.width} x {frame.height}: cut it there first")
        try:
            values = frame.to_ndarray(format="rgb24")
        except (OSError, ValueError) as error:
            raise self._damaged(error) from None
        return Image.fromarray(np.ascontiguousarray(np.rot90(values, round(frame.rotation / 90))))

    def _add_streams(self, source: _Source, made: Any, kind: Kind) -> tuple[Any, dict[int, Any]]:
        """The streams of a new file: of pictures, and of sound by the index of their source."""
        for stream in source.audio:
            if stream.codec.canonical_name not in made.supported_codecs:
                name = stream.codec.canonical_name
                raise OutputError(f"{kind.suffix} holds no sound in {name}: convert it to aac, or add --format mkv")
        try:
            video = made.add_stream(kind.codec, rate=source.video.average_rate or 25, options=kind.options)
        except (OSError, ValueError):
            raise OutputError(f"this PyAV has no encoder {kind.codec}: add --format mkv") from None
        (video.width, video.height), odd = self.size, any(side % 2 for side in self.size)
        video.pix_fmt = kind.pixels[odd]
        context = video.codec_context
        context.time_base = source.video.time_base
        if ratio := source.video.sample_aspect_ratio:
            context.sample_aspect_ratio = ratio if self.size[0] == source.video.width else 1 / ratio
        if video.pix_fmt.startswith("yuv"):
            context.colorspace = BT709 if source.video.format.is_rgb else source.video.colorspace
            context.color_primaries, context.color_trc = source.video.color_primaries, source.video.color_trc
            context.color_range = 1  # limited, as _encodable makes them
        return video, {stream.index: made.add_stream_from_template(stream) for stream in source.audio}

    def _encodable(self, picture: Image.Image, source: Any, video: Any) -> Any:
        """A picture as a frame of the new file, at the time of the frame `source`."""
        frame = self._av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
        matrix = MATRICES.get(video.codec_context.colorspace, 5)
        made = frame.reformat(format=video.pix_fmt, dst_colorspace=matrix, dst_color_range=1)
        made.pts, made.time_base = source.pts, source.time_base
        return made


def _first_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error
