"""From a person and a mix to a picture: `render`, and `Sitter`, which keeps what depends on the person alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from pxs.expressions import Mix
from pxs.faces.action_units import actions
from pxs.faces.portraits import geometry, paint
from pxs.faces.portraits.asset import Fitted, Floats, Ints, asset, floats
from pxs.faces.portraits.glasses import glasses
from pxs.faces.portraits.kernels import downsample, rasterise, strand_directions, vertex_normals
from pxs.faces.portraits.light import Lamp, cast, lamp
from pxs.faces.portraits.looks import HAIRS
from pxs.faces.portraits.occlusion import head_sky, mouth_sky
from pxs.faces.portraits.person import Person
from pxs.faces.portraits.shading import CLOTH, EYE, MOUTH, PLASTIC, SKIN, TEETH, blend_strands, shade_opaque
from pxs.faces.portraits.styling import hair_points
from pxs.faces.portraits.units import Motion, motion
from pxs.quantities import PORTRAIT_SIZE

SAMPLES = 2
"""Samples along each side of a pixel: 2 x 2 in all."""

STRAIGHT = ("hair/bob01", "hair/bob02", "hair/long01", "hair/short03", "hair/short04", "hair/ponytail01")
"""Hair whose strands run along v of the texture and so shine in a band."""

FLAT = np.zeros((1, 1, 3), np.float32)
Lock = tuple[Fitted, Floats, Floats, float, float]
"""A mesh of hair: its parts, points (n, 3), colour (3,), depth bias and gloss."""

EYE_BEHIND = np.float32(0.9965)
"""Eyeballs are tested a little (4 mm) deeper than they are, so that none pierces a lid that squints."""

WHITE = np.ones((1, 1, 4), np.float32)


@dataclass(frozen=True)
class Surface:
    """One opaque mesh, ready to be drawn: vertices (n, 3) in space, and what `shading.shade_opaque` needs."""

    points: Floats
    uvs: Floats
    triangles: Ints
    texture: Floats
    tint: Floats
    kind: int
    sky: Floats


class Sitter:
    """A person in front of the camera: everything that no expression changes is computed once."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.head = geometry.rest(person)
        self.eyes = geometry.eye_centre(self.head)
        self.neck = geometry.Neck(self.eyes)
        resting = geometry.rotation(*person.pose)
        posed = self.neck.turn(geometry.move(self.head, {"jawOpen": person.mouth_open}), resting)
        self.camera = geometry.frame(person, posed, self.eyes)
        self.albedo, self.relief = paint.skin(person)
        self.iris = paint.iris(person)
        self.glasses = glasses(person.glasses, self.head) if person.glasses != "none" else None
        self._background: tuple[int, Floats] | None = None

    def background(self, side: int) -> Floats:
        """The scene behind the person (side, side, 3), kept for the last side asked for."""
        if self._background is None or self._background[0] != side:
            self._background = (side, paint.background(self.person, side))
        return self._background[1]

    def pose(self, moved: Motion) -> Floats:
        """The rotation (3, 3) of the head: the resting pose plus that of the expression."""
        yaw, pitch, roll = (a + b for a, b in zip(self.person.pose, moved.head, strict=True))
        return geometry.rotation(yaw, pitch, roll)

    def face(self, moved: Motion) -> Floats:
        """The vertices (n, 3) of the head with an expression, before the pose."""
        units = dict(moved.units)
        units["jawOpen"] = units.get("jawOpen", 0.0) + self.person.mouth_open
        return geometry.move(self.head, units)

    def picture(self, mix: Mix, size: int, hair: bool = True) -> Floats:
        """The picture (size, size, 3) in linear light."""
        moved = motion(actions(mix))
        base = self.face(moved)
        matrix = self.pose(moved)
        lamp_ = lamp(self.person.light, self.eyes, self.camera.place)
        surfaces = [*self._surfaces(base, matrix, moved)]
        locks = [*self._locks(base, matrix)] if hair else []
        cast(lamp_, surfaces[0].points, surfaces[0].triangles)
        for lock in locks[:1]:
            cast(lamp_, lock[1], lock[0].triangles)
        image, depth = self._opaque(surfaces, moved, lamp_, size * SAMPLES)
        layer = self._hair(depth, locks, lamp_)
        pixels: Floats = downsample(image, layer, SAMPLES)
        return pixels

    def _surfaces(self, base: Floats, matrix: Floats, moved: Motion) -> Iterator[Surface]:
        """All opaque meshes; the skin of the head comes first, the inside of the mouth second."""
        parts, person = asset(), self.person
        posed = self.neck.turn(base, matrix)
        sky = head_sky()
        split = parts.outside
        albedo = self.albedo if moved.blush <= 0 else paint.blushed(self.albedo, moved.blush)
        yield Surface(posed, parts.uvs, parts.triangles[:split], albedo, np.ones(3, np.float32), SKIN, sky)
        inside = floats([0.25, 0.055, 0.05])
        yield Surface(posed, parts.uvs, parts.triangles[split:], WHITE, inside, MOUTH, mouth_sky(base, base))
        for key, kind, tint, texture in (
            ("eyes/HighPolyEyes", EYE, (1.0, 1.0, 1.0), self.iris),
            ("teeth/Teeth_Base", TEETH, (1.25, 1.17, 1.03), None),
            ("tongue/tongue01", MOUTH, (0.62, 0.42, 0.40), None),
            (person.clothes, CLOTH, person.clothes_colour, None),
        ):
            if key == "none":
                continue
            mesh = parts.fitted(key)
            fitted = mesh.fit(base)
            open_sky = np.ones(len(fitted), np.float32) if kind in (EYE, CLOTH) else mouth_sky(fitted, base)
            paint_ = texture if texture is not None else paint.fabric(mesh) if kind == CLOTH else paint.squared(key)
            yield Surface(
                self.neck.turn(fitted, matrix), mesh.uvs, mesh.triangles, paint_, floats(tint), kind, open_sky
            )
        if self.glasses is not None:
            points, triangles = self.glasses
            flat = np.zeros((len(points), 2), np.float32)
            colour, sky = floats(person.glasses_colour), np.ones(len(points), np.float32)
            yield Surface(self.neck.turn(points, matrix), flat, triangles, WHITE, colour, PLASTIC, sky)

    def _locks(self, base: Floats, matrix: Floats) -> Iterator[Lock]:
        """Hair, lashes and brows: mesh, points, colour, depth bias and gloss."""
        parts, person = asset(), self.person
        style = HAIRS[person.hair]
        if style is not None:
            mesh = parts.fitted(style)
            points = hair_points(style, mesh, self.head, person.hair_mirrored)
            gloss = 0.5 if style in STRAIGHT else 0.12
            yield mesh, self.neck.turn(points, matrix), floats(person.hair_colour), 0.0, gloss
        for key, colour in (
            (f"eyelashes/{person.lashes}", floats([0.012, 0.009, 0.008])),
            (f"eyebrows/{person.brows}", floats(person.brow_colour) + np.float32(0.003)),
        ):
            mesh = parts.fitted(key)
            yield mesh, self.neck.turn(mesh.fit(base), matrix), colour, 0.006, 0.03

    def _opaque(self, surfaces: list[Surface], moved: Motion, lamp_: Lamp, side: int) -> tuple[Floats, Floats]:
        """Image (side, side, 3) and depth (side, side) of all opaque meshes over the background."""
        depth = np.zeros((side, side), np.float32)
        ident = np.full((side, side), -1, np.int32)
        bary = np.empty((side, side, 2), np.float32)
        bases = np.cumsum([0, *(len(s.triangles) for s in surfaces)]).tolist()
        for surface, base in zip(surfaces, bases, strict=False):
            screen = self.camera.project(surface.points, side)
            if surface.kind == EYE:
                screen[:, 2] *= EYE_BEHIND
            rasterise(screen, surface.triangles, base, depth, ident, bary, surface.kind == SKIN)
        image = self.background(side).copy()
        step = max(1, round(0.014 * self.camera.focal * side / geometry.CAMERA_DISTANCE))
        for surface, base in zip(surfaces, bases, strict=False):
            relief = self._relief(moved) if surface.kind == SKIN else FLAT
            normals = vertex_normals(surface.points, surface.triangles)
            mesh = (surface.points, normals, surface.uvs, surface.triangles)
            shade_opaque(
                image, (ident, bary), base, mesh, surface.texture, relief, surface.tint, surface.sky, lamp_,
                surface.kind, step, bases[1],
            )  # fmt: skip
        return image, depth

    def _relief(self, moved: Motion) -> Floats:
        """The relief of the skin with the wrinkles of an expression, which are deeper in the old."""
        if not moved.wrinkles:
            return self.relief
        relief = self.relief.copy()
        depth = 0.6 + 0.6 * min(max((self.person.age - 16) / 60, 0.0), 1.0)
        paint.add_creases(relief, {key: depth * w for key, w in moved.wrinkles.items()})
        return relief

    def _hair(self, depth: Floats, locks: list[Lock], lamp_: Lamp) -> Floats:
        """All hair over the opaque surfaces, as a premultiplied layer (side, side, 4)."""
        side = len(depth)
        layer = np.zeros((side, side, 4), np.float32)
        for mesh, points, colour, bias, gloss in locks:
            screen = self.camera.project(points, side)
            order = np.argsort(-screen[mesh.triangles, 2].sum(axis=1), kind="stable").astype(np.int32)
            normals = vertex_normals(points, mesh.triangles)
            strands = strand_directions(points, mesh.uvs, mesh.triangles)
            parts = (points, normals, mesh.uvs, mesh.triangles)
            blend_strands(
                layer, depth, screen, order, parts, strands, mesh.texture, colour, lamp_, np.float32(bias),
                np.float32(gloss),
            )  # fmt: skip
        return layer


@lru_cache(maxsize=8)
def sit(person: Person) -> Sitter:
    """The sitter of a person; the last eight are kept."""
    return Sitter(person)


def render(person: Person, mix: Mix = Mix(), size: int = 256, *, hair: bool = True) -> Image.Image:  # noqa: B008
    """The picture of a person with an expression: RGB, `size` x `size` pixels, always the same bits.

    `hair=False` leaves out hair, brows and lashes (for tests of what they cover).
    Raises ScaleError for another size than a PORTRAIT_SIZE.
    """
    return develop(sit(person).picture(mix, PORTRAIT_SIZE(size), hair))


def develop(linear: Floats) -> Image.Image:
    """A picture from linear light (h, w, 3): a soft shoulder for highlights, then sRGB's curve, then 8 bits."""
    shoulder = linear * (1 + linear / 6) / (1 + linear * np.float32(0.72)) * np.float32(1.25)
    levels = np.clip(shoulder, 0, 1) ** np.float32(1 / 2.2) * 255 + np.float32(0.5)
    return Image.fromarray(levels.astype(np.uint8))
