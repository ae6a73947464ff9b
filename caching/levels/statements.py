"""The SQL of ``caching.levels.database``, on the tables of ``caching.models``.

Each is one statement. What touches many rows does so in the order of their keys, so that no two
wait for each other. Times are compared by the database's clock; "held" is the row as it is.
"""

# ruff: noqa: S608 - our own words

KEYS_AT_ONCE = 1_000
ROWS_AT_ONCE = 5_000

#: ``accessed_at`` is indexed. While it stays, counting a read touches no index.
RECENCY = "1 hour"

IS_KEPT = "(held.discard_at IS NULL OR held.discard_at > now())"
IS_FRESH = "(held.payload IS NOT NULL AND (held.expires_at IS NULL OR held.expires_at > now()))"
#: Versions are microseconds, in Redis too: so a version of one is likely to be later in the other.
FIRST = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
NEXT = f"GREATEST(held.version + 1, {FIRST})"

ENTRY = """
held.key, held.payload, held.version, date_part('epoch', held.stored_at),
date_part('epoch', held.expires_at), date_part('epoch', held.discard_at)
"""
GET = f"SELECT {ENTRY} FROM cache_entries AS held WHERE held.key = %s AND {IS_KEPT}"
GET_MANY = f"SELECT {ENTRY} FROM cache_entries AS held WHERE held.key = ANY(%s) AND {IS_KEPT}"

INSERT = """
INSERT INTO cache_entries AS held
    (key, prefix, payload, version, stored_at, expires_at, discard_at, tags, tag_versions)
"""
OVERWRITE = f"""
ON CONFLICT (key) DO UPDATE SET
    prefix = excluded.prefix, payload = excluded.payload, version = {NEXT},
    stored_at = excluded.stored_at, expires_at = excluded.expires_at,
    discard_at = excluded.discard_at, tags = excluded.tags, tag_versions = excluded.tag_versions
"""
PUT_ONE = f"""
{INSERT}
VALUES (%s, %s, %b, {FIRST}, to_timestamp(%s), to_timestamp(%s), to_timestamp(%s),
    %s::text[], %s::bigint[])
{OVERWRITE}
"""
PUT = f"{PUT_ONE} RETURNING version"
PUT_WHERE_NOTHING_IS_HELD = f"{PUT_ONE} WHERE NOT {IS_KEPT} RETURNING version"
PUT_WHERE_VERSION_IS = f"""
UPDATE cache_entries AS held
SET prefix = %s, payload = %b, version = {NEXT}, stored_at = to_timestamp(%s),
    expires_at = to_timestamp(%s), discard_at = to_timestamp(%s),
    tags = %s::text[], tag_versions = %s::bigint[]
WHERE held.key = %s AND held.version = %s AND {IS_KEPT}
RETURNING version
"""
PUT_MANY = f"""
{INSERT}
SELECT key, prefix, payload, {FIRST}, to_timestamp(stored), to_timestamp(expires),
    to_timestamp(discard), tags::text[], tag_versions::bigint[]
FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::float8[], %s::float8[], %s::float8[],
        %s::text[], %s::text[])
    AS new (key, prefix, payload, stored, expires, discard, tags, tag_versions)
{OVERWRITE}
RETURNING key, version
"""
TOUCH = f"""
UPDATE cache_entries AS held
SET expires_at = to_timestamp(%s), discard_at = to_timestamp(%s), version = {NEXT}
WHERE held.key = %s AND {IS_FRESH}
RETURNING version
"""
DELETE_MANY = f"""
INSERT INTO cache_entries AS held (key, version, stored_at, discard_at)
SELECT key, {FIRST}, now(), to_timestamp(%s) FROM unnest(%s::text[]) AS key
ON CONFLICT (key) DO UPDATE SET
    payload = NULL, version = {NEXT}, stored_at = excluded.stored_at,
    expires_at = CASE WHEN {IS_FRESH} THEN excluded.discard_at END,
    discard_at = excluded.discard_at, tags = '{{}}', tag_versions = '{{}}'
RETURNING key, version, expires_at IS NOT NULL
"""
KEYS = f"""
SELECT held.key FROM cache_entries AS held
WHERE held.key > %s AND held.key ^@ %s AND {IS_FRESH}
ORDER BY held.key LIMIT {KEYS_AT_ONCE}
"""
HELD_KEYS = KEYS.replace(IS_FRESH, f"held.payload IS NOT NULL AND {IS_KEPT}")
CLEAR = f"""
WITH gone AS (
    DELETE FROM cache_entries WHERE key = ANY(ARRAY(
        SELECT key FROM cache_entries WHERE key > %s
        ORDER BY key LIMIT {ROWS_AT_ONCE} FOR UPDATE))
    RETURNING key
)
SELECT max(key) FROM gone
"""
CLEAR_TAGS = """
DELETE FROM cache_tags
WHERE name = ANY(ARRAY(SELECT name FROM cache_tags ORDER BY name FOR UPDATE))
"""
PURGE = """
DELETE FROM cache_entries WHERE key = ANY(ARRAY(
    SELECT key FROM cache_entries WHERE discard_at <= now()
    ORDER BY discard_at LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING 1
"""
REMOVE = "DELETE FROM cache_entries WHERE key = %s AND version = %s"
SIZES = f"""
SELECT held.prefix, count(*), sum(held.size_bytes) FROM cache_entries AS held
WHERE held.payload IS NOT NULL AND {IS_KEPT}
GROUP BY held.prefix ORDER BY held.prefix
"""

TAG_VERSIONS = "SELECT name, version FROM cache_tags WHERE name = ANY(%s)"
BUMP_TAGS = f"""
INSERT INTO cache_tags AS held (name, version) SELECT name, {FIRST} FROM unnest(%s::text[]) AS name
ON CONFLICT (name) DO UPDATE SET version = {NEXT}
RETURNING name, version
"""

NOTE_REPAIRS = """
INSERT INTO cache_repairs (name) SELECT unnest(%s::text[]) ON CONFLICT (name) DO NOTHING
"""
REPAIRS = "SELECT name FROM cache_repairs ORDER BY name LIMIT %s"
FORGET_REPAIRS = """
DELETE FROM cache_repairs WHERE name = ANY(ARRAY(
    SELECT name FROM cache_repairs WHERE name = ANY(%s) ORDER BY name FOR UPDATE))
"""

PREFIXES = """
WITH RECURSIVE known (prefix) AS (
    (SELECT prefix FROM cache_entries ORDER BY prefix LIMIT 1)
    UNION ALL
    SELECT (SELECT prefix FROM cache_entries AS held WHERE held.prefix > known.prefix
            ORDER BY prefix LIMIT 1)
    FROM known WHERE known.prefix IS NOT NULL
)
SELECT prefix FROM known WHERE prefix IS NOT NULL
"""
MOST_USED = f"""
SELECT recent.key
FROM unnest(%s::text[]) AS wanted (prefix) CROSS JOIN LATERAL (
    SELECT held.key, held.access_count, held.accessed_at FROM cache_entries AS held
    WHERE held.prefix = wanted.prefix AND {IS_FRESH}
    ORDER BY held.accessed_at DESC LIMIT %s
) AS recent
ORDER BY recent.access_count DESC, recent.accessed_at DESC, recent.key LIMIT %s
"""
RECORD_READS = f"""
WITH read AS MATERIALIZED (
    SELECT held.key, read.count, to_timestamp(read.at) AS at
    FROM unnest(%s::text[], %s::bigint[], %s::float8[]) AS read (key, count, at)
    JOIN cache_entries AS held USING (key)
    ORDER BY held.key FOR NO KEY UPDATE OF held
)
UPDATE cache_entries AS held
SET access_count = held.access_count + read.count,
    accessed_at = CASE WHEN read.at >= held.accessed_at + interval '{RECENCY}' THEN read.at
                       ELSE held.accessed_at END
FROM read WHERE held.key = read.key
"""
ADD_COUNTS = """
INSERT INTO cache_counters AS held (level, prefix, event, count)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (level, prefix, event) DO UPDATE SET count = held.count + excluded.count
"""
COUNTS = "SELECT level, prefix, event, count FROM cache_counters"


def noting_repairs(statement: str) -> str:
    """Return a statement that also does as ``NOTE_REPAIRS``, whose parameters come first."""
    return f"WITH noted AS ({NOTE_REPAIRS}) {statement}"
