"""Engines have records, chunks know their engine and workspace, and what was heard is an object."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

FILL = """
UPDATE chunk_tasks AS chunk
SET engine = transcript.engine,
    workspace_id = recording.workspace_id,
    result = CASE WHEN chunk.result IS NOT NULL THEN jsonb_build_object(
        'language', transcript.language,
        'timing', 'word',
        'segments', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('words', segment)), '[]')
            FROM jsonb_array_elements(chunk.result) AS segment
        )
    ) END
FROM processing_tasks AS processing
JOIN transcripts AS transcript ON transcript.id = processing.transcript_id
JOIN recordings AS recording ON recording.id = transcript.recording_id
WHERE processing.id = chunk.processing_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('processing', '0003_ids_in_order_of_time'),
    ]

    operations = [
        migrations.CreateModel(
            name='Engine',
            fields=[
                ('name', models.CharField(max_length=50, primary_key=True, serialize=False)),
                ('real_time_factor', models.FloatField(blank=True, null=True)),
                ('audio_seconds', models.FloatField(default=0.0)),
                ('busy_seconds', models.FloatField(default=0.0)),
                ('heard_count', models.BigIntegerField(default=0)),
                ('failed_count', models.BigIntegerField(default=0)),
                ('error_code', models.CharField(blank=True, max_length=50)),
                ('error_message', models.TextField(blank=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('heard_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'db_table': 'engines',
                'ordering': ['name'],
            },
        ),
        migrations.AddField(
            model_name='workspace',
            name='engines',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), blank=True, default=list, size=None),
        ),
        migrations.AddField(
            model_name='workspace',
            name='max_concurrent_chunks',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='processingtask',
            name='max_concurrent_chunks',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transcript',
            name='heard_language',
            field=models.CharField(blank=True, max_length=10),
        ),
        migrations.AddField(
            model_name='transcript',
            name='seams',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='chunktask',
            name='channel',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='chunktask',
            name='audio_sha256',
            field=models.CharField(default='', max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='chunktask',
            name='loudness',
            field=models.BinaryField(default=bytes),
        ),
        migrations.AddField(
            model_name='chunktask',
            name='pause_db',
            field=models.FloatField(default=0.0),
        ),
        migrations.AddField(
            model_name='chunktask',
            name='engine',
            field=models.CharField(default='', max_length=50),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='chunktask',
            name='busy_seconds',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='chunktask',
            name='workspace',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='processing.workspace'),
        ),
        migrations.AddIndex(
            model_name='processingtask',
            index=models.Index(models.F('completed_at'), condition=models.Q(('completed_at__isnull', False)), name='processing_over_idx'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        # what is to be checked after the update is checked before the table is altered
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='chunktask',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='processing.workspace'),
        ),
    ]
