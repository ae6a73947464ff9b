"""Related documents, against a search through the same graph in Python."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from processing.choices import LinkKind
from processing.exceptions import InvalidQuery
from processing.knowledge.relations import MAX_DEPTH, relate, related, unrelate
from processing.models import Document, DocumentLink
from tests.factories.knowledge import DocumentFactory, DocumentLinkFactory
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db

NODES = 9
Link = tuple[int, int, LinkKind, float]


def reached(links: list[Link], start: int, depth: int) -> dict[int, tuple[int, float]]:
    """Return distance and best weight of whom ``start`` reaches: level by level."""
    found = {start: (0, 1.0)}
    for distance in range(1, depth + 1):
        level: dict[int, float] = {}
        for source, target, _, weight in links:
            for near, far in ((source, target), (target, source)):
                if far not in found and found.get(near, (-1,))[0] == distance - 1:
                    level[far] = max(level.get(far, 0.0), found[near][1] * weight)
        found |= {node: (distance, weight) for node, weight in level.items()}
    del found[start]
    return found


@st.composite
def graphs(draw: st.DrawFn) -> list[Link]:
    nodes = st.integers(0, NODES - 1)
    kinds = st.sampled_from(LinkKind)
    pairs = st.tuples(nodes, nodes, kinds).filter(lambda pair: pair[0] != pair[1])
    found = draw(st.lists(pairs, unique=True, max_size=25))
    weights = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])
    return [(*pair, draw(weights)) for pair in found]


def test_related_documents_are_those_of_the_oracle() -> None:
    documents = DocumentFactory.create_batch(NODES)

    @given(links=graphs(), depth=st.integers(1, MAX_DEPTH))
    @hypothesis_settings(max_examples=50, deadline=None)
    def check(links: list[Link], depth: int) -> None:
        DocumentLink.objects.all().delete()
        DocumentLink.objects.bulk_create(
            DocumentLink(source=documents[s], target=documents[t], kind=kind, weight=weight)
            for s, t, kind, weight in links
        )
        expected = sorted(
            (distance, -weight, documents[node].pk)
            for node, (distance, weight) in reached(links, 0, depth).items()
        )

        page = related(documents[0], depth=depth, limit=100)

        assert [(item.distance, -item.weight, item.document.pk) for item in page.items] == expected
        assert page.total == len(expected)

    check()


def chain(*documents: Document) -> None:
    for near, far in pairwise(documents):
        DocumentLinkFactory.create(source=near, target=far)


def ids(document: Document, **kw: int) -> list[UUID]:
    return [item.document.pk for item in related(document, **kw).items]


def test_circle_is_gone_round_once() -> None:
    a, b, c = DocumentFactory.create_batch(3)
    chain(a, b, c, a)

    assert ids(a, depth=5) == sorted([b.pk, c.pk])


def test_depth_is_as_far_as_it_goes() -> None:
    a, b, c, d = DocumentFactory.create_batch(4)
    chain(a, b, c, d)

    assert ids(a, depth=2) == [b.pk, c.pk]


def test_pages_neither_repeat_nor_miss_one() -> None:
    hub = DocumentFactory.create()
    DocumentLinkFactory.create_batch(5, source=hub)

    pages = [related(hub, limit=2, offset=offset) for offset in (0, 2, 4)]

    assert len({item.document.pk for page in pages for item in page.items}) == 5
    assert [page.total for page in pages] == [5, 5, 5]


def test_document_of_another_workspace_is_never_shown() -> None:
    document = DocumentFactory.create()
    foreign = DocumentFactory.create(workspace=WorkspaceFactory.create())
    DocumentLinkFactory.create(source=document, target=foreign)

    assert related(document).items == []


@pytest.mark.parametrize("depth", [0, MAX_DEPTH + 1])
def test_depth_out_of_range_is_refused(depth: int) -> None:
    with pytest.raises(InvalidQuery, match="from 1 to 5"):
        related(DocumentFactory.create(), depth=depth)


def test_people_relate_two_documents_once_in_whichever_direction() -> None:
    a, b = DocumentFactory.create_batch(2)

    relate(a, b)
    relate(b, a)

    assert DocumentLink.objects.of_document(a).count() == 1


def test_people_take_back_only_what_people_said() -> None:
    link = DocumentLinkFactory.create()
    DocumentLinkFactory.create(source=link.source, target=link.target, kind=LinkKind.SIMILAR)

    unrelate(link.target, link.source)

    assert DocumentLink.objects.get().kind == LinkKind.SIMILAR


def test_document_is_not_related_to_itself() -> None:
    document = DocumentFactory.create()

    with pytest.raises(InvalidQuery, match="itself"):
        relate(document, document)


def test_documents_of_two_workspaces_are_not_related() -> None:
    foreign = DocumentFactory.create(workspace=WorkspaceFactory.create())

    with pytest.raises(InvalidQuery, match="two workspaces"):
        relate(DocumentFactory.create(), foreign)
