"""What requests may do with each table, once PostgreSQL itself keeps them in their workspace.

Requests take on a role of their own for that (``row_security``); the policies here are for that
role alone. Workers, commands and migrations are the owner of the tables, to whom none applies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from psycopg.sql import Identifier, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

#: The role of requests, one for each database: roles are of the whole server. As SQL, because
#: a pooler may call the database something else.
ROLE: Final = "('longhand_tenant_' || current_database())::name::text"

#: The setting that says which workspace it is, and what it says. Empty, not null, on a connection
#: where it was set before.
SETTING: Final = "longhand.workspace"
CURRENT: Final = f"NULLIF(current_setting('{SETTING}', true), '')::uuid"

POLICY: Final = "longhand_workspace"

READ: Final = ("SELECT",)
WRITE: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

#: The apps whose tables all have a rule.
APPS: Final = ("jobs", "processing")

#: Tables of no workspace: what requests may do with them, and why all may.
SHARED: Final = {
    "engines": (READ, "how fast engines are; nothing of what they heard"),
    "workers": (READ, "who is there to do a job, whosever it is"),
    "auth_user": (READ, "who made something; one person may be in several workspaces"),
    "auth_group": (READ, "what staff may do"),
    "auth_group_permissions": (READ, "what staff may do"),
    "auth_permission": (READ, "what staff may do"),
    "auth_user_groups": (READ, "what staff may do"),
    "auth_user_user_permissions": (READ, "what staff may do"),
    "django_content_type": (READ, "what permissions are about"),
    "cache_entries": (
        ("SELECT (key, tags)",),
        "which entries are to be erased with what they were made of; not what is in them",
    ),
}

#: Tables that do not say whose their rows are: those are whose all of these rows are.
PARENTS: Final = {
    "processing_tasks": ("transcript",),
    "document_versions": ("document",),
    "document_links": ("source", "target"),
    "document_topics": ("document", "topic"),
    "webhook_deliveries": ("webhook",),
    "job_dependencies": ("job", "depends_on"),
    "bulk_action_items": ("bulk_action",),
}

#: A table of ours that is no model's, and not in every database (``searching.embeddings``).
EMBEDDINGS: Final = "passage_embeddings"


@dataclass(frozen=True)
class Rule:
    """What requests may do with a table: with rows that meet ``condition``, or with all."""

    table: str
    privileges: tuple[str, ...]
    condition: str = ""

    def statements(self, role: str) -> list[str]:
        """Return what puts this rule in place, whatever was there before."""
        table, grantee = Identifier(self.table).as_string(), Identifier(role).as_string()
        grants = [
            f"REVOKE ALL ON {table} FROM {grantee}",
            f"GRANT {', '.join(self.privileges)} ON {table} TO {grantee}",
        ]
        if not self.condition:
            return grants
        return [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS {POLICY} ON {table}",
            (
                f"CREATE POLICY {POLICY} ON {table} TO {grantee} "
                f"USING ({self.condition}) WITH CHECK ({self.condition})"
            ),
            # PostgreSQL shows a policy in words of its own: these are compared
            f"COMMENT ON POLICY {POLICY} ON {table} IS {Literal(self.condition).as_string()}",
            *grants,
        ]


@dataclass(frozen=True)
class Step:
    """Statements that belong together, and what they are about."""

    subject: str
    statements: list[str]


def rules() -> dict[str, Rule]:
    """Return the rule of each table; raise ``ImproperlyConfigured`` for one that has none."""
    found = {table: Rule(table, privileges) for table, (privileges, _) in SHARED.items()}
    for app in APPS:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            table = model._meta.db_table
            if table not in SHARED:
                found[table] = Rule(table, WRITE, _condition(model))
    if EMBEDDINGS in connection.introspection.table_names():
        found[EMBEDDINGS] = Rule(EMBEDDINGS, WRITE, f"workspace_id = {CURRENT}")
    return found


def enabling() -> list[Step]:
    """Return what is missing for every rule to be in place; nothing when all are."""
    role, is_there, may_enter = _role()
    name = Identifier(role).as_string()
    create = [f"CREATE ROLE {name} NOLOGIN", f"GRANT {name} TO CURRENT_USER"]
    enter = f"GRANT USAGE ON SCHEMA {Identifier(_schema()).as_string()} TO {name}"
    steps = []
    if not may_enter:
        steps.append(Step(role, [*([] if is_there else create), enter]))
    in_place = _in_place(role) if is_there else {}
    for table, rule in rules().items():
        if in_place.get(table) != (rule.condition, sorted(rule.privileges)):
            steps.append(Step(table, rule.statements(role)))
    return steps


def disabling() -> list[Step]:
    """Return what is to be taken away for the database to be as if there were no rules."""
    role, is_there, _ = _role()
    steps = []
    for table in _protected():
        name = Identifier(table).as_string()
        off = f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"
        steps.append(Step(table, [f"DROP POLICY IF EXISTS {POLICY} ON {name}", off]))
    if is_there:
        name = Identifier(role).as_string()
        steps.append(Step(role, [f"DROP OWNED BY {name}", f"DROP ROLE {name}"]))
    return steps


def run(steps: list[Step]) -> None:
    """Take steps one after the other: each locks one table, and waits for none for long."""
    for step in steps:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            for statement in step.statements:
                cursor.execute(statement)


def _condition(model: type[Model]) -> str:
    table = model._meta.db_table
    if table == "workspaces":
        return f"id = {CURRENT}"
    if table in PARENTS:
        return " AND ".join(_is_visible(model, parent) for parent in PARENTS[table])
    if any(field.column == "workspace_id" for field in model._meta.concrete_fields):
        return f"workspace_id = {CURRENT}"
    raise ImproperlyConfigured(
        f"nothing says whose the rows of {table} are: "
        f"add it to PARENTS or SHARED in {__name__}, or a workspace to it"
    )


def _is_visible(model: type[Model], name: str) -> str:
    """Return that the row which a foreign key names is one that its own policy shows."""
    field: Any = model._meta.get_field(name)
    table, parent = model._meta.db_table, field.related_model._meta.db_table
    return f"EXISTS (SELECT FROM {parent} WHERE {parent}.id = {table}.{field.column})"


def _role() -> tuple[str, bool, bool]:
    """Return the name of the role, whether it exists, and whether it may use our schema."""
    [(role, is_there, may_enter)] = _rows(_ROLE)
    return role, is_there, may_enter


def _schema() -> str:
    [(schema,)] = _rows("SELECT current_schema()")
    return str(schema)


def _protected() -> list[str]:
    return [table for (table,) in _rows(_PROTECTED, POLICY)]


def _in_place(role: str) -> dict[str, tuple[str, list[str]]]:
    """Return the condition of each table that has a rule, and what may be done with it."""
    return {
        table: (condition, sorted(privileges))
        for table, condition, privileges in _rows(_IN_PLACE, role, POLICY, role)
    }


def _rows(statement: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        yield from cursor.fetchall()


_ROLE: Final = f"""
SELECT {ROLE}, EXISTS (SELECT FROM pg_roles WHERE rolname = {ROLE}), coalesce((
    SELECT has_schema_privilege(oid, current_schema(), 'USAGE') FROM pg_roles WHERE rolname = {ROLE}
), false)
"""  # noqa: S608  our own words
_PROTECTED: Final = """
SELECT c.relname FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
WHERE p.polname = %s AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname
"""
_IN_PLACE: Final = """
SELECT c.relname, coalesce(obj_description(p.oid, 'pg_policy'), ''),
    array_agg(DISTINCT granted.privilege_type)
FROM pg_class AS c
CROSS JOIN LATERAL aclexplode(c.relacl) AS granted
JOIN pg_roles AS r ON r.oid = granted.grantee AND r.rolname = %s
LEFT JOIN pg_policy AS p ON p.polrelid = c.oid AND p.polname = %s AND c.relrowsecurity
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
GROUP BY c.relname, p.oid
UNION ALL
SELECT c.relname, '', ARRAY[
    min(granted.privilege_type) || ' (' || string_agg(a.attname, ', ' ORDER BY a.attname) || ')'
]
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS granted
JOIN pg_roles AS r ON r.oid = granted.grantee AND r.rolname = %s
WHERE c.relnamespace = current_schema()::regnamespace
GROUP BY c.relname
"""
