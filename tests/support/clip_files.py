"""Writes small clips, and reads any, by PyAV alone."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

RATE, SOUND_RATE = 25, 16_000


def write_clip(path, pictures, codec="ffv1", pixels="bgr0", times=None, sound=None, rotation=0, note=None):
    """Write pictures (height, width, 3) as a clip; `times` in 1/1000 s. sound: the codec of a tone as long."""
    with av.open(str(path), "w") as made:
        video = made.add_stream(codec, rate=RATE)
        video.height, video.width, video.pix_fmt = *np.asarray(pictures[0]).shape[:2], pixels
        video.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        audio = made.add_stream(sound, rate=SOUND_RATE, layout="mono") if sound else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = times[number] if times else 1000 * number // RATE
            frame.time_base = Fraction(1, 1000)
            made.mux(video.encode(frame.reformat(format=pixels)))
        if audio:
            tone = 8000 * np.sin(np.arange(SOUND_RATE * len(pictures) // RATE) / 10)
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = SOUND_RATE, 0
            made.mux(audio.encode(frame))
            made.mux(audio.encode(None))
        made.mux(video.encode(None))


def read_clip(path):
    """The pictures of a clip, and their times in seconds."""
    with av.open(str(path)) as clip:
        frames = list(clip.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for frame in frames], [round(frame.time, 4) for frame in frames]


def sound_of(path):
    """The packets of sound of a clip: their bytes, and their times in seconds."""
    with av.open(str(path)) as clip:
        packets = [packet for packet in clip.demux(audio=0) if packet.size]
        return [(bytes(packet), round(float(packet.pts * packet.time_base), 3)) for packet in packets]


def stripes(count=6, size=(64, 48)):
    """Pictures of a bright stripe that moves to the right, over a slope of colours."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    slope = np.stack([200 * x // width, 200 * y // height, np.full_like(x, 60)], axis=2).astype(np.uint8)
    pictures = []
    for number in range(count):
        picture = slope.copy()
        picture[:, 4 * number : 4 * number + 4] = (250, 240, 20)
        pictures.append(picture)
    return pictures
