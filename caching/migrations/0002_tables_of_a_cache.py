"""What Django's models cannot say of the cache's tables.

Versions come from one sequence, which nothing sets back: not even emptying the tables. Values are
compressed by the cache, so PostgreSQL need not try. The tables are written all the time: there
is room in their pages for updates that touch no index, and they are vacuumed sooner than others.

Keys are in the order of their bytes, so that the primary key finds what begins with a prefix:
the second index, which Django makes of each text key for that, would only be written. It
makes them when a migration ends, so this is another one.
"""

from django.db import migrations

SET = """
CREATE SEQUENCE cache_version_seq;
ALTER TABLE cache_entries ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE cache_entries SET (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    toast.autovacuum_vacuum_scale_factor = 0.02,
    toast.autovacuum_vacuum_threshold = 1000
);
ALTER TABLE cache_counters SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
DROP INDEX cache_entries_key_3c6443d7_like;
DROP INDEX cache_tags_name_1ac468fb_like;
DROP INDEX cache_repairs_name_6980d8cf_like;
"""

RESET = """
DROP SEQUENCE cache_version_seq;
ALTER TABLE cache_entries ALTER COLUMN payload SET STORAGE EXTENDED;
ALTER TABLE cache_entries RESET (
    fillfactor,
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold,
    autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor,
    toast.autovacuum_vacuum_scale_factor,
    toast.autovacuum_vacuum_threshold
);
ALTER TABLE cache_counters RESET (fillfactor, autovacuum_vacuum_scale_factor);
CREATE INDEX cache_entries_key_3c6443d7_like ON cache_entries (key text_pattern_ops);
CREATE INDEX cache_tags_name_1ac468fb_like ON cache_tags (name text_pattern_ops);
CREATE INDEX cache_repairs_name_6980d8cf_like ON cache_repairs (name text_pattern_ops);
"""


class Migration(migrations.Migration):
    dependencies = [("caching", "0001_initial")]

    operations = [migrations.RunSQL(SET, RESET)]
