"""General editors behind a remote service, see services.py: they cost money, and run only where they are named.

A picture that a service gave is kept by its content in a folder, so none is paid twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.general import General, Size, inside, instruction
from pxs.benchmark.methods.services import SERVICES, Request
from pxs.data.tasks import Task
from pxs.endpoints import OF_A_PICTURE, checked_address, checked_name, key_in, open_client, without_key
from pxs.errors import ImageError, ServiceError, ServiceSetupError
from pxs.images import open_image
from pxs.judging.answers import RefusedError, UnusableError, body_of, refuse_filtered
from pxs.optional import require
from pxs.storage.files import replace_file

RETRIES = 4  # of a request that fails for a while
TRIES = 2  # times that a picture is asked for, where an answer holds none that can be used: each may be paid
LONGEST = 1536  # pixels of the longer side of a picture that is sent: services see no more, and some take no more
REFUSED_KEY = ("api key not valid", "api_key_invalid")  # how Google says with status 400 what others say with 401


class Remote(General):
    """An editor of SERVICES. Nothing is sent before `check` or `edit`. Alpha: see general.py; there is no seed.

    Requests that fail for a while are repeated up to RETRIES times, answers without a usable picture are asked for
    TRIES times in all, refusals never; `edit` raises ServiceError for both, and ServiceSetupError where the service can
    give no picture at all: the key is refused, or the service fails or hangs. Raises ServiceSetupError for an
    impossible model's name or address.
    """

    def __init__(self, context: Context, name: str) -> None:
        self.name, self.service, settings = name, SERVICES[name], context.general
        self.model = checked_name(settings.models.get(name, self.service.model), ServiceSetupError)
        given = settings.urls.get(name, self.service.url)
        self.url = checked_address(given, f"{name}'s", self.service.url, ServiceSetupError)
        self.price, self.timeout, self.cache = settings.prices.get(name), settings.timeout, settings.cache
        self.settings, self.answered, self.recalled = self.service.settings(self.model), 0, 0

    @property
    def lacks(self) -> str:  # type: ignore[override]  # read from the environment
        """The key or the package that is missing; empty if both are there."""
        if not os.environ.get(self.service.key, "").strip():
            return f"no key: set {self.service.key}"
        try:
            require("openai", "remote", ServiceSetupError)
        except ServiceSetupError as error:
            return str(error)
        return ""

    @property
    def provenance(self) -> Mapping[str, str]:
        """What an edit depends on."""
        settings = json.dumps(self.settings, sort_keys=True)
        return {"method": self.name, "model": self.model, "service": self.url, "settings": settings}

    @property
    def usage(self) -> str:
        """What was asked since this editor was made, and what it cost at most: refusals may be free. For people."""
        cost = "" if self.price is None else f", cost at most {self.price * self.answered:.4f}"
        return f"{self.name}: {self.answered} answers of the service, {self.recalled} from the cache{cost}"

    def frame(self, size: Size) -> Size:
        """The aspect that the service is asked for, at the size at which a picture is sent."""
        left, top, right, bottom = inside(size, self.service.frame(size))
        scale = min(1.0, LONGEST / max(right - left, bottom - top))
        return max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top)))

    def knows(self, task: Task) -> bool:
        """Whether the answer for a task is in the cache, so that no request is needed."""
        return self._recall(self._file(self.shown(task.open()), instruction(task))) is not None

    def check(self) -> None:
        """Ask the service for its list of models, which costs nothing. Raises ServiceSetupError for a key that is
        refused, and for a service that fails or hangs; a service without such a list passes."""
        openai = require("openai", "remote", ServiceSetupError)
        key = key_in(self.service.key, ServiceSetupError)
        with self._client(key) as client:
            try:
                client.get("/models", cast_to=str, options={"headers": self.service.headers(key)})
            except openai.APIStatusError as error:
                if error.status_code == 401 or error.status_code >= 500 or _key_is_refused(error):
                    raise self._failure(error, key) from None
            except Exception as error:  # of the connection, of its encodings
                raise self._failure(error, key) from None

    def picture(self, image: Image.Image, text: str) -> Image.Image:
        """The service's own picture, from the cache or asked for."""
        file = self._file(image, text)
        known = self._recall(file)
        if known is not None:
            self.recalled += 1
            return known
        key = key_in(self.service.key, ServiceSetupError)
        with self._client(key) as client:
            data, found = self._asked(client, key, image, text)
        if file is not None:
            replace_file(file, data)
        return found

    def _client(self, key: str) -> Any:
        return open_client(self.url, key, RETRIES, self.timeout, "remote", ServiceSetupError)

    def _asked(self, client: Any, key: str, image: Image.Image, text: str) -> tuple[bytes, Image.Image]:
        """A picture from the service, as its file and opened."""
        size, headers = self.service.frame(image.size), self.service.headers(key)
        request = Request(self.model, text, _png(image), size, headers)
        reason: Exception = UnusableError()
        for _ in range(TRIES):
            try:
                body = body_of(self._sent(client, key, request))
                self.answered += 1
                data = self.service.picture(body)
                return data, open_image(data)
            except (UnusableError, ImageError) as error:
                reason = error
            except RefusedError as error:
                raise ServiceError(f"{self.service.title} refused: {without_key(key, error)}") from None
        raise ServiceError(
            f"{self.service.title} gave no usable picture in {TRIES} tries ({without_key(key, reason)}): try again, or "
            "check the model"
        )

    def _sent(self, client: Any, key: str, request: Request) -> str:
        """The body of one response."""
        openai = require("openai", "remote", ServiceSetupError)
        try:
            return self.service.send(client, request, self.settings)
        except openai.APIStatusError as error:
            refuse_filtered(error.body or str(error))
            raise self._failure(error, key) from None
        except Exception as error:  # of the connection, of its encodings
            raise self._failure(error, key) from None

    def _failure(self, error: Any, key: str) -> ServiceError:
        """What a failed request means: a fault of this picture, or a service that fails."""
        said = f"{self.service.title} at {self.url} failed ({without_key(key, error)})"
        status = getattr(error, "status_code", None)
        if status in OF_A_PICTURE and self.answered and not _key_is_refused(error):
            return ServiceError(f"{said}: check the picture")
        if "timed out" in said:
            return ServiceSetupError(f"{said}: run again later, or give it more time (--editor-timeout)")
        return ServiceSetupError(f"{said}: check {self.service.key}, the model and the address, and run again")

    def _file(self, image: Image.Image, text: str) -> Path | None:
        """The file of an answer in the cache, by the hash of what it depends on; None without a cache."""
        if self.cache is None:
            return None
        parts = json.dumps([self.provenance["settings"], self.model, self.url, text, image.size])
        digest = hashlib.sha256(parts.encode() + image.tobytes()).hexdigest()
        return self.cache / f"{digest}.image"

    def _recall(self, file: Path | None) -> Image.Image | None:
        """The picture in a file of the cache; None if it is not there or damaged."""
        with contextlib.suppress(OSError, ImageError):
            return None if file is None else open_image(file.read_bytes())
        return None


def _key_is_refused(error: Any) -> bool:
    return any(words in f"{error} {getattr(error, 'body', '')}".lower() for words in REFUSED_KEY)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
