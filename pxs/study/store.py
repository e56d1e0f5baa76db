"""The answers that come in while a study is served, in one SQLite file: what was taken is on the disk.

The file has a write-ahead log, so results can be read from it while raters answer. Each answer is a transaction of its
own, flushed before it is acknowledged: a process that is killed, or a power cut, loses none.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pxs.errors import DataError, OutputError, one_line
from pxs.serving import new_token
from pxs.study.answers import DATABASE

TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS places (rater TEXT PRIMARY KEY, taken INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS answers (
    rater TEXT NOT NULL, item TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (rater, item));
"""


class Store:
    """The database in a folder, of the study with this hash, with a place for each of the raters.

    Raises DataError for that of another study, OutputError where it cannot be written.
    """

    def __init__(self, folder: Path, study: str, raters: Iterable[str]) -> None:
        path = folder / DATABASE
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # its owner alone may read answers
            self.database = sqlite3.connect(path, isolation_level=None, timeout=30)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self.database.execute(f"PRAGMA {pragma}")
            self.database.executescript(TABLES)
            self.database.executemany("INSERT OR IGNORE INTO places (rater) VALUES (?)", [(r,) for r in raters])
            known = self._fact("study", study)
            self.token = self._fact("token", new_token())
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{path} cannot be used ({one_line(error)}): take it from a copy, or move it away"
            ) from None
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({one_line(error)}): check the folder") from None
        if known != study:
            self.close()
            raise DataError(f"{path} holds answers to another study: move it away")

    def _fact(self, name: str, value: str) -> str:
        """What the database says under a name; `value` if it said nothing yet."""
        self.database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
        return str(self.database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def take_place(self) -> str | None:
        """The code of the next rater whose place is free, which is then taken; None if there is none."""
        row = self.database.execute(
            "UPDATE places SET taken = 1 WHERE rater = "
            "(SELECT rater FROM places WHERE NOT taken ORDER BY rater LIMIT 1) RETURNING rater"
        ).fetchall()
        return str(row[0][0]) if row else None

    def put(self, rater: str, item: str, said: Mapping[str, Any]) -> None:
        """Keep an answer; an earlier one to the same item is replaced."""
        self.database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (rater, item, json.dumps(said)))

    def of(self, rater: str) -> list[dict[str, Any]]:
        """The answers of a rater."""
        rows = self.database.execute("SELECT answer FROM answers WHERE rater = ? ORDER BY item", (rater,))
        return [json.loads(answer) for (answer,) in rows]

    def forget(self, rater: str) -> None:
        """Delete the answers of a rater, also from the log that is not yet in the file."""
        self.database.execute("DELETE FROM answers WHERE rater = ?", (rater,))
        self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file; what was put is in it."""
        self.database.close()
