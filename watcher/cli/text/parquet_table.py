"""The rows of ``export`` as a Parquet file, one row group a page; pyarrow is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

TIMES: Final = frozenset(
    (
        *("started_after", "started_before", "ended_after", "ended_before", "changed_after", "changed_before"),
        *("first_seen_at", "after", "before", "recorded_at", "created_at", "attempted_at", "settled_at"),
    )
)
SECONDS: Final = frozenset(("seconds", "uncertain_seconds"))
COUNTS: Final = frozenset(("seq", "attempts"))
FLAGS: Final = frozenset(("gone", "hpo", "restored", "late", "urgent", "may_be_repeat"))
LISTS: Final = frozenset(("event_ids",))


class ParquetTable:
    """Writes pages of rows with the same fields; ``close`` writes the end, without which the file is unreadable."""

    def __init__(self, stream: IO[bytes], fields: Sequence[str]) -> None:
        self._schema = pa.schema([(name, _type_of(name)) for name in fields])
        self._writer = pq.ParquetWriter(stream, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write a page; a row has its values in the order of the fields."""
        if rows:
            columns = [_column(values, field) for values, field in zip(zip(*rows, strict=True), self._schema)]  # noqa: B905 - a schema has no length
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()


def _type_of(name: str) -> pa.DataType:
    if name in TIMES:
        return pa.timestamp("us", tz="UTC")
    if name in SECONDS:
        return pa.float64()
    if name in COUNTS:
        return pa.int64()
    if name in FLAGS:
        return pa.bool_()
    return pa.list_(pa.string()) if name in LISTS else pa.string()


def _column(values: Sequence[Any], field: pa.Field) -> pa.Array:
    if field.name in TIMES:
        # The store keeps times as RFC 3339, which pyarrow reads faster than Python does.
        return pa.array(values, pa.string()).cast(field.type)
    return pa.array(values, field.type)
