"""One index for dependencies, and vacuums of jobs that do not dawdle: each claim steps over what
they have not removed yet.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0005_ids_in_order_of_time'),
    ]

    operations = [
        migrations.AlterField(
            model_name='jobdependency',
            name='job',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='jobs.job'),
        ),
        migrations.RunSQL(
            "ALTER TABLE processing_jobs SET (autovacuum_vacuum_cost_delay = 0)",
            "ALTER TABLE processing_jobs RESET (autovacuum_vacuum_cost_delay)",
        ),
    ]
