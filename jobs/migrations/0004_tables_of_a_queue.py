"""What PostgreSQL's defaults get wrong about the tables of a queue.

Every job is written three times, so its table is vacuumed sooner than others: by default
autovacuum waits until a fifth of a table is dead, of a million jobs 200,000 rows that claims
have to step over.

And the planner takes a row found by an index for four times as dear as one read in order, which
holds for turning disks: for a list of a workspace with a fifth of all jobs, none of them new, it
then reads the newest jobs of all, 155,000 of 200,000, instead of the workspace's index.
"""

from django.db import migrations

SET = """
ALTER TABLE processing_jobs SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET random_page_cost = 1.1', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'not the owner of this database: set random_page_cost to 1.1';
END $$
"""

RESET = """
ALTER TABLE processing_jobs RESET (
    autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor, autovacuum_vacuum_threshold
);
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET random_page_cost', current_database());
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_dependencies_keys_and_indexes")]

    operations = [migrations.RunSQL(SET, RESET)]
