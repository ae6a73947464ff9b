"""The forms of OpenAI's clients, and what they mean to us."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers

from processing.api.openai.catalogue import engine_named
from processing.engines.base import AUTO
from processing.engines.languages import language_code
from processing.services.requesting import PIPELINE_PARAMETERS, choose_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import QueryDict

    from processing.engines.base import SpeechEngine
    from processing.models import Workspace
    from processing.uploads import HashedUpload

JSON, TEXT, SRT, VERBOSE, VTT = "json", "text", "srt", "verbose_json", "vtt"
DIARIZED = "diarized_json"
FORMATS = (JSON, TEXT, SRT, VERBOSE, VTT)

#: Formats of which a stream of events tells all.
STREAMED = (JSON, TEXT, DIARIZED)

WORD, SEGMENT = "word", "segment"
MAX_KNOWN_SPEAKERS = 4

#: Fields that are lists: ``name[]``, as OpenAI's clients send them, or ``name``.
LISTS = ("languages", "keywords", "timestamp_granularities", "known_speaker_names")


@dataclass(frozen=True)
class AudioRequest:
    """What is asked of us, as ``submit_recording`` takes it and ``responses`` answers it."""

    file: HashedUpload
    engine: str
    language: str
    parameters: dict[str, Any]
    response_format: str
    temperature: float
    is_streamed: bool = False
    granularities: frozenset[str] = frozenset()
    known_speakers: tuple[str, ...] = field(default_factory=tuple)


def _choice(*values: str, **options: Any) -> serializers.ChoiceField:
    known = ", ".join(f"'{value}'" for value in values)
    message = f"Invalid value: '{{input}}'. Supported values are: {known}."
    return serializers.ChoiceField(
        choices=values, error_messages={"invalid_choice": message}, **options
    )


class TranslationForm(serializers.Serializer[Any]):
    """What ``POST audio/translations`` takes.

    ``language``, which is not OpenAI's, is that of the audio, for engines that do not find out.
    Fields without a value are as good as none; unknown ones make no difference, and neither does
    ``prompt``: it is English, which what is heard need not be.
    """

    #: What the engine is told, where it has such a parameter.
    for_engine: ClassVar[tuple[str, ...]] = ("temperature",)

    file = serializers.FileField(allow_empty_file=True, max_length=None)
    model = serializers.CharField()
    language = serializers.CharField(default="")
    prompt = serializers.CharField(default="", trim_whitespace=False)
    response_format = _choice(*FORMATS, default=JSON)
    temperature = serializers.FloatField(default=0.0)

    def validate_temperature(self, temperature: float) -> float:
        if not 0 <= temperature <= 1:
            raise serializers.ValidationError("Invalid value: temperature is from 0 to 1.")
        return temperature


class TranscriptionForm(TranslationForm):
    """What ``POST audio/transcriptions`` takes.

    ``channels``, which is not OpenAI's, is the pipeline's parameter of that name. Cutting is our
    own affair: ``chunking_strategy`` makes no difference, nor does ``include``.
    """

    for_engine = ("prompt", "keywords", "temperature")

    languages = serializers.ListField(child=serializers.CharField(), default=list)
    keywords = serializers.ListField(child=serializers.CharField(), default=list)
    response_format = _choice(*FORMATS, DIARIZED, default=JSON)
    timestamp_granularities = serializers.ListField(child=_choice(WORD, SEGMENT), default=list)
    stream = serializers.BooleanField(default=False)
    known_speaker_names = serializers.ListField(
        child=serializers.CharField(), default=list, max_length=MAX_KNOWN_SPEAKERS
    )
    channels = _choice(*PIPELINE_PARAMETERS["channels"], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        response_format = attrs["response_format"]
        if attrs["timestamp_granularities"] and response_format != VERBOSE:
            message = (
                f"`response_format` must be `{VERBOSE}` if `timestamp_granularities[]` is provided"
            )
            raise serializers.ValidationError({"timestamp_granularities": [message]})
        if attrs["stream"] and response_format not in STREAMED:
            message = (
                f"response_format '{response_format}' is not compatible with streaming. "
                f"Use {' or '.join(repr(name) for name in STREAMED)} instead."
            )
            raise serializers.ValidationError(
                {"response_format": [message]}, code="unsupported_value"
            )
        return attrs


def read_form(form: Any, serializer: type[TranslationForm], workspace: Workspace) -> AudioRequest:
    """Return what a form asks for; raise ``ValidationError`` or what ``choose_engine`` raises.

    Fields that the engine does not know are left out: clients send them to whatever model.
    """
    checked = serializer(data=_fields(form))
    checked.is_valid(raise_exception=True)
    asked = checked.validated_data
    engine_name = engine_named(asked["model"])
    engine, _ = choose_engine(engine_name, workspace=workspace)
    names = [asked["language"]] if asked["language"] else asked.get("languages", [])
    parameters: dict[str, Any] = {
        name: asked[name]
        for name in serializer.for_engine
        if asked.get(name) and name in engine.parameter_names
    }
    parameters |= {name: asked[name] for name in PIPELINE_PARAMETERS if name in asked}
    return AudioRequest(
        file=asked["file"],
        engine=engine_name,
        language=_language(names, engine),
        parameters=parameters,
        response_format=asked["response_format"],
        temperature=asked["temperature"],
        is_streamed=asked.get("stream", False),
        granularities=frozenset(asked.get("timestamp_granularities", ())),
        known_speakers=tuple(asked.get("known_speaker_names", ())),
    )


def _fields(form: QueryDict) -> dict[str, Any]:
    """Return the fields that have a value; lists under their bare names."""
    fields: dict[str, Any] = {
        name: value for name, value in form.items() if value != "" and name not in LISTS
    }
    for name in LISTS:
        if values := [v for v in form.getlist(f"{name}[]") + form.getlist(name) if v != ""]:
            fields[name] = values
    return fields


def _language(names: Sequence[str], engine: SpeechEngine) -> str:
    """Return the one language that is asked for as the engine names it, empty for none.

    Of several the engine finds out which it is, or it is the first that the engine understands.
    """
    codes = [_code(name, engine) for name in names]
    if len(codes) > 1 and AUTO in engine.languages:
        return AUTO
    known = [code for code in codes if code in engine.languages]
    return next(iter(known or codes), "")


def _code(name: str, engine: SpeechEngine) -> str:
    code = name if name in engine.languages else language_code(name)
    if code is None:
        message = (
            f"Invalid language '{name}'. Language parameter must be specified in ISO-639-1 format."
        )
        raise serializers.ValidationError({"language": [message]}, code="invalid_language_format")
    return code
