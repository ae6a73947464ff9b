"""Values of metrics as people read them."""

from django.template.defaultfilters import filesizeformat

from jobs.presentation import NOTHING
from monitoring.catalogue import Unit

#: From so many of one unit on the next is used: seconds, minutes, hours.
TIMES = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def figure(value: float | None, unit: Unit | str = Unit.COUNT) -> str:
    """Return a value with its unit, short: ``1,234``, ``1.5 s``, ``97 %``; a dash for None."""
    if value is None:
        return NOTHING
    match unit:
        case Unit.SECONDS:
            return _time(value)
        case Unit.BYTES:
            return filesizeformat(value)
        case Unit.RATIO:
            return f"{100 * value:.3g} %"
        case Unit.PER_SECOND:
            return f"{_number(value)} a second"
    return _number(value)


def _number(value: float) -> str:
    """Return three digits at least, and no fraction from 100 on."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _time(seconds: float) -> str:
    if 0 < abs(seconds) < 1:
        return f"{1000 * seconds:.3g} ms"
    length, name = next((each for each in TIMES if abs(seconds) >= each[0]), TIMES[-1])
    return f"{seconds / length:.3g} {name}"
