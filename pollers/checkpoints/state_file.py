"""The file of the positions, as a format of `config/durable/files.py`."""

from __future__ import annotations

from ...config.durable.files import FileFormat
from . import rows

FILE = "checkpoints.db"
APPLICATION = 0x50656E73
SCHEMA = 1

TABLES = """
BEGIN;
CREATE TABLE sources (
    mapping TEXT NOT NULL, source TEXT NOT NULL, created REAL,
    PRIMARY KEY (mapping, source)
);
CREATE TABLE lanes (
    mapping TEXT NOT NULL, source TEXT NOT NULL, shard TEXT NOT NULL,
    token INTEGER NOT NULL,
    place TEXT NOT NULL, at REAL, number TEXT, sub INTEGER, spelled TEXT,
    window_start INTEGER, window_end INTEGER, window_state BLOB,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (mapping, source, shard)
);
CREATE TABLE tokens (last INTEGER NOT NULL);
INSERT INTO tokens VALUES (0);
COMMIT;
"""

POSITIONS = FileFormat(
    what="stored positions",
    application=APPLICATION,
    schema=SCHEMA,
    tables=TABLES,
    anew="at each mapping's starting position, which may deliver records again",
    check=rows.check,
)
