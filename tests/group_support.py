"""What the tests of Parquet and Arrow files share: files of several groups, and damage to them."""

import pytest
from scan_support import ORDINARY, VIOLATING

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FORMS = ["parquet", "arrow"]
KIND = {"parquet": "row group", "arrow": "record batch"}


def posts(count, begin=0):
    numbers = range(begin, begin + count)
    ids = pa.array([f"n{n}" for n in numbers], pa.string())
    texts = pa.array([f"{n} {(ORDINARY, VIOLATING)[n % 2]}" for n in numbers], pa.string())
    return pa.record_batch({"id": ids, "text": texts})


def write(path, groups, compression=None):
    """Write batches as the groups of a file; return where each begins and ends in it."""
    places = []
    with path.open("wb") as file:
        if path.suffix == ".parquet":
            writer = pq.ParquetWriter(file, groups[0].schema, compression=compression or "snappy")
        else:
            options = pa.ipc.IpcWriteOptions(compression=compression)
            writer = pa.ipc.new_file(file, groups[0].schema, options=options)
        with writer:
            for group in groups:
                begin = file.tell()
                if path.suffix == ".parquet":
                    writer.write_batch(group, row_group_size=max(len(group), 1))
                else:
                    writer.write_batch(group)
                places.append((begin, file.tell()))
    return places


def damage(path, begin, end):
    """Make what stands in a file from `begin` to `end` meaningless."""
    content = bytearray(path.read_bytes())
    content[begin:end] = b"\xff" * (end - begin)
    path.write_bytes(content)


def damaged(path, *numbers, groups=8, size=40):
    """Write a file of which some groups are damaged, but not what is said about them."""
    places = write(path, [posts(size, size * n) for n in range(groups)], "zstd")
    for number in numbers:
        begin, end = places[number]
        if path.suffix == ".arrow":  # the message itself stays whole
            begin = end - 200
        damage(path, begin, end)
