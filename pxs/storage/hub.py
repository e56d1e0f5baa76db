"""The hub: what a download would bring, and where it lies afterwards. Nothing but `pxs download` fetches anything.

    plan = plan_download("Qwen/Qwen-Image-Edit-2511", MODEL)
    print(plan)             # revision, licence, sizes, free space
    fetch(plan)             # goes on where it was interrupted

Files lie in the cache of huggingface_hub (HF_HOME), under the hash of the revision, so that what was downloaded once
stays what it was. HF_HUB_OFFLINE=1 keeps even `pxs download` from the network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from pxs.errors import AdapterError, DownloadError, ModelError, PxsError, one_line
from pxs.storage.files import replace_file

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
REFERENCE = "pxs"  # the reference, in the cache, to the revision that `fetch` brought last
GB = 1e9


@dataclass(frozen=True)
class Kind:
    """A kind of repository: the flag of `pxs download`, the files wanted of it, the error where it is missing."""

    flag: str
    patterns: tuple[str, ...]
    error: type[PxsError]


MODEL = Kind("--model", ("*.json", "*.txt", "*.jinja", "*.safetensors", "LICENSE*", "README.md"), ModelError)
ADAPTER = Kind("--adapter", ("*.safetensors", "adapter_config.json", "LICENSE*", "README.md"), AdapterError)


@dataclass(frozen=True)
class Download:
    """What a download would bring: `files` by their sizes in bytes, of which `missing` bytes are not yet here.

    commit: the hash of the revision. folder: of the cache, with `free` bytes on its disk. licence: as the repository
    states it, or "not stated".
    """

    repository: str
    commit: str
    licence: str
    files: dict[str, int]
    missing: int
    folder: Path
    free: int

    def __str__(self) -> str:
        whole = sum(self.files.values())
        return (
            f"{self.repository} at {self.commit[:12]}: {len(self.files)} files, {size(whole)}, of which "
            f"{size(self.missing)} to download; licence {self.licence}; {size(self.free)} free in {self.folder}"
        )


def size(count: int) -> str:
    """Bytes for people: 57.7 GB, 3.1 MB, 12 kB."""
    for unit, name in ((GB, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ORG/NAME and is nothing on this disk."""
    return HUB_ID.fullmatch(name) is not None and not Path(name).exists()


def downloaded(repository: str, kind: Kind) -> Path:
    """The folder of a repository that was downloaded before; else raises the kind's error, saying how to get it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    options = {"allow_patterns": list(kind.patterns), "local_files_only": True}
    for revision in (REFERENCE, "main"):  # what pxs fetched, or any other tool
        try:
            return Path(snapshot_download(repository, revision=revision, **options))
        except (LocalEntryNotFoundError, HFValidationError):
            continue
    command = f"pxs download {kind.flag} {repository}"
    raise kind.error(f"{repository!r} is neither here nor downloaded: run '{command}' first, or give a local path")


def plan_download(repository: str, kind: Kind, revision: str | None = None) -> Download:
    """Ask the hub what a repository holds; raises DownloadError."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache

    try:
        info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    except Exception as error:
        raise _refusal(repository, error) from None
    files = {f.rfilename: f.size or 0 for f in info.siblings if any(fnmatch(f.rfilename, p) for p in kind.patterns)}
    if not files:
        raise DownloadError(f"{repository!r} holds none of {', '.join(kind.patterns)}: check the name")
    here = {name for name in files if isinstance(try_to_load_from_cache(repository, name, revision=info.sha), str)}
    folder = Path(constants.HF_HUB_CACHE)
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    licence = (info.card_data or {}).get("license") or "not stated"
    missing = sum(bytes_ for name, bytes_ in files.items() if name not in here)
    return Download(repository, info.sha, licence, files, missing, folder, shutil.disk_usage(existing).free)


def check_space(plans: Sequence[Download]) -> None:
    """Raise DownloadError if the disk has no room for all that is missing."""
    missing = sum(plan.missing for plan in plans)
    for plan in plans:
        if missing > plan.free:
            raise DownloadError(
                f"the download needs {size(missing)}, but {plan.folder} has {size(plan.free)} left: make room, or set "
                "HF_HOME to a folder on a larger disk"
            )


def fetch(plan: Download) -> Path:
    """Download what is missing, with progress bars; the folder of the snapshot. Raises DownloadError.

    What an interrupted download brought is kept and gone on with; only a whole one is found by `downloaded`.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(plan.repository, revision=plan.commit, allow_patterns=list(plan.files)))
    except Exception as error:
        raise _refusal(plan.repository, error) from None
    replace_file(folder.parents[1] / "refs" / REFERENCE, plan.commit.encode())
    return folder


def _refusal(repository: str, error: Exception) -> DownloadError:
    """What went wrong with the hub, in one line."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        reason, advice = "access must be granted", "accept its terms on the hub and run 'hf auth login'"
    elif isinstance(error, errors.RevisionNotFoundError):
        reason, advice = "there is no such revision", "check --revision"
    elif isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        reason, advice = "there is no such repository", "check the name, or run 'hf auth login' if it is private"
    elif isinstance(error, errors.OfflineModeIsEnabled):
        reason, advice = "HF_HUB_OFFLINE is set", "unset it to download"
    else:
        reason, advice = one_line(error), "check the connection and run the same command again, it goes on"
    return DownloadError(f"{repository!r} cannot be downloaded ({reason}): {advice}")


def file_hash(file: Path) -> str:
    """SHA-256 of a file; of a hub download, the name of the blob that the link points to is that hash already."""
    name = file.resolve().name
    if file.is_symlink() and len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return name
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
