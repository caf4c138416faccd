"""Writes what pyarrow and Python read of a folder of Parquet and JSON files, for TestCorpora.

    python corpora.py DIR OUT

OUT/<file>.json has for a Parquet file its columns, each with its values or the error that pyarrow gives; for a file of one line of JSON
its value or the error. Instants are [seconds, nanoseconds] since 1970, times of day nanoseconds, decimals and UUIDs text, bytes {"base64"}.
"""
import base64, calendar, datetime as dt, decimal, json, math, os, sys, uuid
import pyarrow as pa, pyarrow.parquet as pq

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def plain(v):
    if isinstance(v, dt.datetime):
        return [calendar.timegm(v.utctimetuple()), v.microsecond * 1000]
    if isinstance(v, dt.date):
        return [calendar.timegm(v.timetuple()), 0]
    if isinstance(v, dt.time):
        return ((v.hour * 60 + v.minute) * 60 + v.second) * 10**9 + v.microsecond * 1000
    if isinstance(v, (decimal.Decimal, uuid.UUID)):
        return format(v, "f") if isinstance(v, decimal.Decimal) else str(v)
    if isinstance(v, float) and not math.isfinite(v):
        return {"float": str(v)}
    if isinstance(v, bytes):
        return {"base64": base64.b64encode(v).decode()}
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


def values(column):
    kind = column.type
    if pa.types.is_timestamp(kind):
        unit = UNITS[kind.unit]
        return [None if x is None else [x // unit, x % unit * (10**9 // unit)] for x in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_map(kind):
        return [None if x is None else {"map": [plain(e) for e in x]} for x in column.to_pylist()]
    return [plain(x) for x in column.to_pylist()]


def parquet(path):
    try:
        names = pq.read_schema(path).names
        meta = pq.read_metadata(path)
        if any(meta.row_group(g).total_byte_size > 2**28 for g in range(meta.num_row_groups)):
            return {"error": "too large to compare"}
    except Exception as e:
        return {"error": str(e)}
    columns = {}
    for name in names:
        try:
            columns[name] = {"values": values(pq.read_table(path, columns=[name], page_checksum_verification=True, coerce_int96_timestamp_unit="us").column(name))}
        except Exception as e:
            columns[name] = {"error": str(e)}
    return {"columns": columns}


def line(path):
    try:
        return {"value": json.loads(open(path, "rb").read().decode())}
    except Exception as e:
        return {"error": str(e)}


folder, out = sys.argv[1:]
for root, _, files in os.walk(folder):
    for file in files:
        path = os.path.join(root, file)
        read = parquet if file.endswith(".parquet") else line if "test_parsing" in root else None
        if read:
            to = os.path.join(out, os.path.relpath(path, folder)) + ".json"
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with open(to, "w") as f:
                try:
                    json.dump(read(path), f)
                except Exception as e:
                    f.seek(0), f.truncate(), json.dump({"error": str(e)}, f)
