"""New files, files of this version, files whose migration was cut off."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.store import migrations
from sidecar.store.opening import connect


def test_a_new_file_gets_the_tables_a_version_and_a_stream_id(tmp_path: Path) -> None:
    with closing(connect(str(tmp_path / "calls.db"))) as db:
        migrations.migrate(db)
        assert migrations.version_of(db) == migrations.VERSION
        (stream_id,) = db.execute("SELECT value FROM meta WHERE name = 'stream_id'").fetchone()
        assert len(stream_id) == 36


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    with closing(connect(str(tmp_path / "calls.db"))) as db:
        migrations.migrate(db)
        before = list(db.iterdump())
        migrations.migrate(db)
        assert list(db.iterdump()) == before


def test_a_later_step_runs_on_an_older_file_and_keeps_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connect(str(tmp_path / "calls.db"))) as db:
        migrations.migrate(db)
        db.execute("INSERT INTO paired VALUES ('+15550000001', 1)")
        steps = (*migrations._STEPS, ("ALTER TABLE paired ADD COLUMN name TEXT",))
        monkeypatch.setattr(migrations, "_STEPS", steps)
        monkeypatch.setattr(migrations, "VERSION", len(steps))
        migrations.migrate(db)
        assert db.execute("SELECT * FROM paired").fetchall() == [("+15550000001", 1, None)]
        assert migrations.version_of(db) == len(steps)


def test_a_step_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "calls.db")
    with closing(connect(path)) as db:
        migrations.migrate(db)
        before = list(db.iterdump())
    steps = (*migrations._STEPS, ("CREATE TABLE extra (x)", "CREATE TABLE calls (x)"))
    monkeypatch.setattr(migrations, "_STEPS", steps)
    monkeypatch.setattr(migrations, "VERSION", len(steps))
    with closing(connect(path)) as db, pytest.raises(sqlite3.Error):
        migrations.migrate(db)
    with closing(connect(path)) as db:
        assert list(db.iterdump()) == before
        assert migrations.version_of(db) == len(steps) - 1
