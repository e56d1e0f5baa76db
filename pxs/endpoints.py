"""What clients of remote services share: addresses, keys from the environment, and messages that hold neither.

All services are asked through the client of the package openai, which repeats requests that fail for a while (429, 5xx,
lost connections) with growing pauses, and waits as long as a service says.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from pxs.errors import PxsError, one_line, without_passwords
from pxs.optional import require

OF_A_PICTURE = (400, 413, 415, 422)
"""Statuses that may be about the picture that was sent; others are about the service, the model or the key."""


def checked_address(url: str, whose: str, example: str, error: type[PxsError]) -> str:
    """The address of an endpoint, without a final "/". `whose` address it is, and an `example`, are for messages.

    Raises `error` for one that is no web address, or holds a password, a query or a fragment. The message does not
    repeat the address, since what is wrong with it may be a password.
    """
    if any(sign in url for sign in "@?#%"):
        raise error(
            f"{whose} address has a name, a password or a query in it, which could be shown or stored: give the "
            "address alone, and the key in the environment"
        )
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not url.isprintable() or " " in url:
        raise error(f"{whose} address is not a web address: give one such as {example}")
    return url.rstrip("/")


def checked_name(model: str, error: type[PxsError]) -> str:
    """Return the name of a model; raises `error` for one that no service lists."""
    if not model.strip() or not model.isprintable():
        raise error(f"the model {model!r} is no name: give the model's name as the endpoint lists it")
    return model


def key_in(variable: str, error: type[PxsError]) -> str:
    """The key in an environment variable; raises `error` without one, or if it has signs that no key has."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise error(f"no API key: set the environment variable {variable}")
    if not (key.isascii() and key.isprintable()):
        raise error(f"the API key in {variable} has signs that no key has: copy it again")
    return key


def open_client(url: str, key: str, retries: int, timeout: float, extra: str, error: type[PxsError]) -> Any:
    """A client of openai for an address, to be closed. timeout: in seconds per request; extra: that brings openai.

    Raises `error` if the package is missing or the address cannot be used.
    """
    openai = require("openai", extra, error)
    try:
        return openai.OpenAI(base_url=url, api_key=key, max_retries=retries, timeout=timeout)
    except Exception as problem:
        raise error(f"{url!r} cannot be used ({without_key(key, problem)}): check it") from None


def without_key(key: str, error: BaseException) -> str:
    """The message of an error on one line; key and passwords, which a service may repeat, are replaced."""
    said = str(error).replace(key, "***") or type(error).__name__
    return one_line(ValueError(without_passwords(said)))
