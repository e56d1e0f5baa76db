"""Downloads from the hub: planning, fetching and finding them again. Only `pxs download` uses the network.

    plan = plan_download("Qwen/Qwen-Image-Edit-2511", MODEL)
    print(plan)             # revision, licence, sizes, free space
    fetch(plan)             # continues an interrupted download

Files lie in the cache of huggingface_hub (HF_HOME), under the hash of the revision, so that what was downloaded once
stays what it was. HF_HUB_OFFLINE=1 keeps even `pxs download` from the network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pxs.errors import AdapterError, DownloadError, ModelError, PxsError, one_line
from pxs.storage.files import replace_file
from pxs.storage.paths import exists

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
REFERENCE = "pxs"  # the reference, in the cache, to the revision that `fetch` brought last
GB = 1e9


@dataclass(frozen=True)
class Kind:
    """A kind of repository: its flag of `pxs download`, patterns of its files, and the error when it is missing."""

    flag: str
    patterns: tuple[str, ...]
    error: type[PxsError]


MODEL = Kind("--model", ("*.json", "*.txt", "*.jinja", "*.safetensors", "LICENSE*", "README.md"), ModelError)
ADAPTER = Kind("--adapter", ("*.safetensors", "adapter_config.json", "LICENSE*", "README.md"), AdapterError)


@dataclass(frozen=True)
class Download:
    """A planned download: `files` with their sizes in bytes; `missing` is how many bytes must be downloaded.

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
    """A number of bytes as text, such as 57.7 GB, 3.1 MB or 12 kB."""
    for unit, name in ((GB, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ORG/NAME and no such path exists."""
    return HUB_ID.fullmatch(name) is not None and not exists(name)


def downloaded(repository: str, kind: Kind) -> Path:
    """The folder of a downloaded repository. If it is missing, raises the kind's error."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for revision in (REFERENCE, "main"):  # what pxs fetched, or any other tool
        try:
            folder = snapshot_download(
                repository, revision=revision, allow_patterns=list(kind.patterns), local_files_only=True
            )
            return Path(folder)
        except (LocalEntryNotFoundError, HFValidationError):
            continue
    command = f"pxs download {kind.flag} {repository}"
    raise kind.error(f"{repository!r} is neither a local path nor downloaded: run '{command}' first")


def plan_download(repository: str, kind: Kind, revision: str | None = None) -> Download:
    """Ask the hub for the files of a repository and which of them are missing locally; raises DownloadError."""
    from huggingface_hub import HfApi, constants, snapshot_download

    patterns = list(kind.patterns)
    try:
        info = HfApi().model_info(repository, revision=revision)
        found = snapshot_download(repository, revision=info.sha, allow_patterns=patterns, dry_run=True)
    except Exception as error:
        raise _refusal(repository, error) from None
    if not found or isinstance(found, str):
        raise DownloadError(f"{repository!r} holds none of {', '.join(kind.patterns)}: check the name")
    files = {file.filename: file.file_size or 0 for file in found}
    missing = sum(file.file_size or 0 for file in found if file.will_download)
    folder = Path(constants.HF_HUB_CACHE)
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    licence = str(getattr(info.card_data, "license", None) or "not stated")
    return Download(repository, str(info.sha), licence, files, missing, folder, shutil.disk_usage(existing).free)


def check_space(plans: Sequence[Download]) -> None:
    """Raise DownloadError if the disk is too small for all missing files."""
    missing = sum(plan.missing for plan in plans)
    for plan in plans:
        if missing > plan.free:
            raise DownloadError(
                f"the download needs {size(missing)}, but {plan.folder} has {size(plan.free)} left: free space or set "
                "HF_HOME to a folder on a larger disk"
            )


def fetch(plan: Download) -> Path:
    """Download the missing files, with progress bars; return the folder of the snapshot. Raises DownloadError.

    An interrupted download is kept and continued by the next call; `downloaded` finds complete ones only.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(plan.repository, revision=plan.commit, allow_patterns=list(plan.files)))
    except Exception as error:
        raise _refusal(plan.repository, error) from None
    replace_file(folder.parents[1] / "refs" / REFERENCE, plan.commit.encode())
    return folder


def _refusal(repository: str, error: Exception) -> DownloadError:
    """The error of the hub as one line."""
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
        reason, advice = one_line(error), "check the connection and run the same command again: it continues"
    return DownloadError(f"{repository!r} cannot be downloaded ({reason}): {advice}")
