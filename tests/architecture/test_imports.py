"""The house rules that a reader could break without noticing."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
APPS = ("config", "monitoring", "processing", "jobs", "caching")

#: app -> the apps of ours that it may import: config -> monitoring -> processing -> the rest.
MAY_IMPORT = {
    "config": {"config", "monitoring", "processing", "jobs", "caching"},
    "monitoring": {"monitoring", "processing", "jobs", "caching"},
    "processing": {"processing", "jobs", "caching"},
    "jobs": {"jobs"},
    "caching": {"caching"},
}

#: A file that is longer has a second noun in it.
MAX_LINES = 300

#: Where the errors of all handlers are judged: those of running them, and those of what
#: follows when nobody runs them any more, which must not keep a sweep from the other rows. And
#: in the cache: where a loader's error goes to all who wait, and the threads that nobody waits
#: for, which must not end by one.
JUDGES = {
    "jobs/services/runner.py",
    "jobs/services/sweeper.py",
    "caching/breaker.py",
    "caching/keeper.py",
    "caching/loading.py",
}

#: Words that name no noun.
NO_NOUNS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base_classes"}


def source_files(*apps: str) -> list[Path]:
    """Return the hand-written Python files of ``apps``."""
    return [
        path
        for app in apps
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """Return what a file imports, also inside functions and under TYPE_CHECKING."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            modules.append(node.module or "")
    return tuple(modules)


def handled_types(path: Path) -> Iterator[str]:
    """Yield each type of exception that a file catches; an empty string for a bare except."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            yield from ("" if kind is None else ast.unparse(kind) for kind in kinds)


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_what_is_below_it(app: str) -> None:
    upwards = {
        f"{name_of(path)} imports {module}"
        for path in source_files(app)
        for module in imported_modules(path)
        if (top := module.split(".")[0]) in APPS and top not in MAY_IMPORT[app]
    }

    assert not upwards


def test_no_app_imports_the_tests() -> None:
    importing = {
        name_of(path)
        for path in source_files(*APPS)
        for module in imported_modules(path)
        if module.split(".")[0] == "tests"
    }

    assert not importing


def test_only_one_module_speaks_to_the_queues_of_rq() -> None:
    importing = {
        name_of(path)
        for path in source_files(*APPS)
        for module in imported_modules(path)
        if module.split(".")[0] == "django_rq"
    }

    assert importing == {"jobs/queues.py"}


def test_no_page_and_no_command_of_rq_is_there_to_run_what_redis_names() -> None:
    assert "django_rq" not in settings.INSTALLED_APPS
    assert "rqworker" not in get_commands()


def test_nothing_is_pickled() -> None:
    pickling = {
        name_of(path)
        for path in source_files(*APPS)
        for module in imported_modules(path)
        if re.search(r"pickle|marshal|shelve|dill|joblib", module, re.IGNORECASE)
    }

    assert not pickling


def test_only_the_judges_of_handlers_catch_every_exception() -> None:
    catching = {
        name_of(path)
        for path in source_files(*APPS)
        for kind in handled_types(path)
        if kind in ("", "Exception")
    }

    assert catching == JUDGES


def test_whoever_catches_even_the_end_of_the_process_raises_it_again() -> None:
    swallowing = {
        name_of(path)
        for path in source_files(*APPS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id == "BaseException"
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }

    assert not swallowing


def test_a_file_is_one_noun() -> None:
    long = {
        f"{name_of(path)}: {count} lines"
        for path in source_files(*APPS)
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    }

    assert not long


def test_no_file_is_named_for_nothing() -> None:
    nameless = {name_of(path) for path in source_files(*APPS) if path.stem in NO_NOUNS}

    assert not nameless


def test_tests_use_no_mocks() -> None:
    mocking = {
        name_of(path)
        for path in source_files("tests")
        if "fakes" not in path.parts
        for module in imported_modules(path)
        if module.startswith("unittest.mock") or module == "mock"
    }

    assert not mocking
