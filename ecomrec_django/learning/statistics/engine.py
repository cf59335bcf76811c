"""Runs the shared statistics: one SQL text each, on DuckDB inside this process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, DataError, TrainingError

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def statement(name: str) -> str:
    """The text of ``learning/statistics/sql/<name>.sql``."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


class Engine:
    """DuckDB within bounds: ``memory`` such as ``"1500MB"``; past it, work spills into ``temp_folder``."""

    def __init__(self, memory: str = "1500MB", threads: int = 2, temp_folder: str | Path | None = None) -> None:
        self.memory = memory
        self.threads = threads
        self.temp_folder = temp_folder

    def run(
        self, sql: str, tables: Mapping[str, str | Path | pa.Table], views: Mapping[str, str] | None = None
    ) -> pa.Table:
        """Answer one query over ``tables``: by name, an Arrow table, a Parquet file, or a folder of them at any depth.

        ``views``, by name, are queries over the tables that ``sql`` may read as well.

        Raises TrainingError where the query cannot be answered within the bounds, DataError for files that cannot
        be read, and ConfigurationError where the extra ``[learn]`` is not installed.
        """
        try:
            import duckdb
            import pyarrow as pa
        except ImportError as error:
            raise ConfigurationError(
                f"Training needs {error.name}, which is not installed: pip install 'ecomrec-django[learn]'."
            ) from error
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self.memory,
            "threads": self.threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
        if self.temp_folder is not None:
            settings["temp_directory"] = str(self.temp_folder)
        try:
            connection = duckdb.connect(":memory:", config=settings)
        except duckdb.Error as error:
            raise ConfigurationError(f"The training engine does not start with {settings}: {error}") from error
        with connection:
            try:
                for name, table in tables.items():
                    if isinstance(table, pa.Table):
                        connection.register(name, table)
                    else:
                        connection.read_parquet(_pattern(Path(table))).create_view(name)
                for name, view in (views or {}).items():
                    connection.sql(view).create_view(name)
                answer = connection.sql(sql).arrow()
                return answer if isinstance(answer, pa.Table) else answer.read_all()
            except duckdb.IOException as error:
                raise DataError(f"The history cannot be read: {error}") from error
            except duckdb.OutOfMemoryException as error:
                raise TrainingError(
                    f"The statistics need more than {self.memory}: raise ECOMREC['MEMORY']. ({error})"
                ) from error
            except duckdb.Error as error:
                raise TrainingError(f"A statistic could not be computed: {error}") from error


def _pattern(path: Path) -> str:
    return str(path / "**" / "*.parquet") if path.is_dir() else str(path)
