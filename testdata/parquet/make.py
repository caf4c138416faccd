"""Writes Parquet files with pyarrow and with DuckDB, and what each reads back.

    pip install pyarrow==26.0.1 duckdb==2.0.1 && python make.py

The files of this folder are those of seed 1; `make written` draws others, larger ones.
"""
import base64, datetime as dt, decimal, json, os, random, uuid
import duckdb, pyarrow as pa, pyarrow.parquet as pq

seed, rows = int(os.environ.get("SEED", 1)), int(os.environ.get("ROWS", 280))


def text(v):
    """Renders a value as Go's encoding/json does."""
    if isinstance(v, dt.datetime):
        return (v if v.tzinfo is None else v.astimezone(dt.timezone.utc)).strftime("%4Y-%m-%dT%H:%M:%S") + (
            f".{v.microsecond:06d}".rstrip("0") if v.microsecond else "") + "Z"
    if isinstance(v, dt.date):
        return v.strftime("%4Y-%m-%dT00:00:00Z")
    if isinstance(v, dt.time):
        return ((v.hour * 60 + v.minute) * 60 + v.second) * 10**9 + v.microsecond * 1000
    if isinstance(v, decimal.Decimal):
        return format(v, "f")
    if isinstance(v, uuid.UUID):
        return str(v)
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, dict):
        return {k: text(x) for k, x in v.items()}
    if isinstance(v, list):
        return [text(x) for x in v]
    return v


def write(name, table, maps=(), **options):
    pq.write_table(table, name + ".parquet", **options)
    rows = pq.read_table(name + ".parquet").to_pylist()
    for row in rows:
        for m in maps:
            if row[m] is not None:
                row[m] = dict(row[m])
    with open(name + ".jsonl", "w") as f:
        for row in rows:
            f.write(json.dumps(text(row), separators=(",", ":")) + "\n")


def column(kind, *values):
    return pa.array(list(values) + [None], kind)


D, utc = decimal.Decimal, dt.timezone.utc
write("types", pa.table({
    "i8": column(pa.int8(), -128, 127), "i16": column(pa.int16(), -32768, 32767),
    "i32": column(pa.int32(), -2**31, 2**31 - 1), "i64": column(pa.int64(), -2**63, 2**63 - 1),
    "u8": column(pa.uint8(), 0, 255), "u16": column(pa.uint16(), 1, 65535),
    "u32": column(pa.uint32(), 1, 2**31 + 5), "u64": column(pa.uint64(), 1, 2**64 - 1),
    "f16": column(pa.float16(), -1.5, 6.103515625e-05), "f32": column(pa.float32(), 0.25, -3.5), "f64": column(pa.float64(), 0.1, -1e300),
    "flag": column(pa.bool_(), True, False), "str": column(pa.string(), "", "caf\u00e9 \U0001f600"),
    "bin": column(pa.binary(), b"\xff\x00", b""), "fixed": column(pa.binary(3), b"JFK", b"LAX"),
    "dec": column(pa.decimal128(20, 4), D("-1.2500"), D("1234567890123456.7891")),
    "dec9": column(pa.decimal128(9, 2), D("-0.05"), D("1234567.89")),
    "big": column(pa.decimal256(40, 0), D(-10**39), D(10**39)),
    "date": column(pa.date32(), dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "ms": column(pa.timestamp("ms"), dt.datetime(1600, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59)),
    "us": column(pa.timestamp("us", "UTC"), dt.datetime(1600, 1, 1, tzinfo=utc), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, utc)),
    "ns": column(pa.timestamp("ns"), dt.datetime(1969, 12, 31, 23, 59, 59, 1), dt.datetime(2200, 1, 1)),
    "t32": column(pa.time32("ms"), dt.time(1, 2, 3), dt.time(23, 59, 59, 999000)),
    "t64": column(pa.time64("us"), dt.time(0, 0, 0, 1), dt.time(23, 59, 59, 999999)),
    "uuid": column(pa.uuid(), uuid.UUID(int=0).bytes, uuid.UUID(int=2**127 + 5).bytes),
}), store_decimal_as_integer=True)

write("int96", pa.table({"v": column(pa.timestamp("us"), dt.datetime(1969, 12, 31, 23, 59, 59, 1), dt.datetime(2026, 1, 1))}),
      use_deprecated_int96_timestamps=True)

r = random.Random(seed)
nested = []
for i in range(rows):
    some = lambda f: [f() for _ in range(r.randrange(4))] if r.random() < 0.9 else None
    nested.append({
        "id": i, "list": some(lambda: r.choice([None, r.randrange(9)])), "lists": some(lambda: some(lambda: str(r.randrange(9)))),
        "map": None if r.random() < 0.1 else [("k%d" % k, r.randrange(9)) for k in range(r.randrange(3))] + [("id%d" % i, i)],
        "group": None if r.random() < 0.3 else {"a": r.choice([None, i]), "b": some(lambda: {"c": "c%d" % r.randrange(9)})},
    })
write("nested", pa.Table.from_pylist(nested, pa.schema([
    ("id", pa.int64()), ("list", pa.list_(pa.int32())), ("lists", pa.list_(pa.list_(pa.string()))),
    ("map", pa.map_(pa.string(), pa.int64())),
    ("group", pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("c", pa.string())])))])),
])), maps=["map"], row_group_size=270, data_page_size=200)

for version in "1.0", "2.0":
    write("lz4-v" + version[0], pa.table({"v": [r.randbytes(8).hex() for _ in range(max(150, rows // 2))]}),
          compression="lz4", use_dictionary=False, data_page_version=version)

write("nulls", pa.table({"v": pa.array([None, None], pa.float32())}), compression="snappy", use_dictionary=False, data_page_version="2.0")
write("empty", pa.table({"v": pa.array([], pa.int64())}))

db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")


def duck(name, query, options=""):
    db.execute(f"COPY ({query}) TO '{name}.parquet' (FORMAT parquet{options})")
    got = db.execute(f"SELECT * FROM '{name}.parquet'")
    names = [d[0] for d in got.description]
    with open(name + ".jsonl", "w") as f:
        for row in got.fetchall():
            f.write(json.dumps(text(dict(zip(names, row))), separators=(",", ":")) + "\n")


duck("duckdb-types", """
    SELECT * FROM (VALUES
        ((-128)::TINYINT, (-32768)::SMALLINT, (-2147483648)::INTEGER, (-9223372036854775808)::BIGINT,
         0::UTINYINT, 1::USMALLINT, 1::UINTEGER, 1::UBIGINT, 0.25::FLOAT, 0.1::DOUBLE, true, '', '\\xFF\\x00'::BLOB,
         '-1.2500'::DECIMAL(20,4), '-0.05'::DECIMAL(9,2), '0001-01-01'::DATE,
         '1600-01-01'::TIMESTAMP_MS, '1600-01-01'::TIMESTAMPTZ, '1969-12-31 23:59:59.000001'::TIMESTAMP_NS,
         '1600-01-01 00:00:00.000001'::TIMESTAMP, '00:00:00.000001'::TIME, '00000000-0000-0000-0000-000000000000'::UUID, 'a'::ENUM('a','b')),
        (127, 32767, 2147483647, 9223372036854775807,
         255, 65535, 2147483653, 18446744073709551615, (-3.5), (-1e300), false, 'caf\u00e9 \U0001f600', ''::BLOB,
         '1234567890123456.7891', '1234567.89', '9999-12-31',
         '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999+00', '2200-01-01',
         '9999-12-31 23:59:59.999999', '23:59:59.999999', '80000000-0000-0000-0000-000000000005', 'b'),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
    ) t(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, flag, str, bin, dec, dec9, date, ms, us, ns, ts, t64, uuid, enum)""")

duck("duckdb-nested", f"""
    SELECT i AS id,
        CASE WHEN i % 9 = 0 THEN NULL ELSE list_transform(range(i % 4), lambda x: CASE WHEN (x + i) % 3 = 0 THEN NULL ELSE (x * i)::INTEGER END) END AS list,
        list_transform(range(i % 3), lambda x: list_transform(range(x), lambda y: (y + i)::VARCHAR)) AS lists,
        CASE WHEN i % 7 = 0 THEN NULL ELSE map_from_entries(list_transform(range(i % 4), lambda x: {{'key': 'k' || x, 'value': x * i}})) END AS map,
        CASE WHEN i % 5 = 0 THEN NULL ELSE {{'a': CASE WHEN i % 2 = 0 THEN NULL ELSE i END, 'b': list_transform(range(i % 3), lambda x: {{'c': 'c' || x}})}} END AS group
    FROM range({rows}) t(j), LATERAL (SELECT j + {seed} AS i)""", ", ROW_GROUP_SIZE 2048")
for codec, version in ("uncompressed", 1), ("snappy", 1), ("snappy", 2), ("gzip", 1), ("zstd", 2), ("lz4_raw", 1), ("lz4_raw", 2), ("brotli", 2):
    duck(f"duckdb-{codec}-v{version}", f"SELECT md5((i * {seed})::VARCHAR) AS v FROM range({max(150, rows // 2)}) t(i)", f", CODEC {codec}, PARQUET_VERSION V{version}")
duck("duckdb-empty", "SELECT 1::BIGINT AS v WHERE false")
