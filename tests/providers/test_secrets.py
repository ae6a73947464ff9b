"""A provider's key is shown to the provider and to nobody else."""

import logging

import pytest

from processing.exceptions import ProviderUnauthorized, ProviderUnavailable
from processing.providers.base import ProviderSettings, Secret
from tests.providers.conftest import KEY, MakeClient, MakeEngine, ask
from tests.providers.server import Exchange, Provider, answering, refusing


def test_settings_and_secrets_do_not_show_the_key() -> None:
    settings = ProviderSettings(base_url="http://localhost/v1", api_key=Secret(KEY))

    shown = f"{settings!r} {settings} {settings.api_key!r} {settings.api_key}"

    assert KEY not in shown


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} ", f"{KEY}ü"], ids=["line", "space", "ü"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="a secret is") as refusal:
        Secret(key)

    assert KEY not in str(refusal.value)


def test_a_provider_that_repeats_the_key_does_not_make_us_tell_it(
    provider: Provider, make_client: MakeClient
) -> None:
    provider.will(refusing(401, message=f"Incorrect API key provided: {KEY}."))

    with pytest.raises(ProviderUnauthorized) as refusal:
        ask(make_client(provider.url))

    assert str(refusal.value).endswith("answered 401: Incorrect API key provided: ***.")


def test_no_log_line_has_the_key(
    provider: Provider, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.will(answering({}), refusing(500, message=KEY))
    client = make_client(provider.url)

    ask(client)
    with pytest.raises(ProviderUnavailable):
        ask(client)

    assert "httpcore2" in caplog.text
    assert KEY not in caplog.text


def test_an_engine_does_not_show_the_key(make_engine: MakeEngine) -> None:
    engine = make_engine("http://localhost/v1")

    assert KEY not in f"{engine!r} {vars(engine)} {engine.version}"


def test_the_trace_of_an_error_does_not_show_the_key(
    provider: Provider, make_client: MakeClient
) -> None:
    provider.will(Exchange.reset)

    with pytest.raises(ProviderUnavailable) as refusal:
        ask(make_client(provider.url))

    assert KEY not in str(refusal.getrepr(showlocals=True, style="long"))
