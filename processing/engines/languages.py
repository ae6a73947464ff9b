"""The languages of Whisper: OpenAI names them in English, we by ISO 639-1."""

from types import MappingProxyType

_TABLE = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian,
bg bulgarian, bn bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh,
da danish, de german, el greek, en english, es spanish, et estonian, eu basque, fa persian,
fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa, he hebrew, hi hindi,
hr croatian, ht haitian creole, hu hungarian, hy armenian, id indonesian, is icelandic,
it italian, ja japanese, jv javanese, ka georgian, kk kazakh, km khmer, kn kannada, ko korean,
la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, mi maori,
mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my burmese,
ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto,
pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak,
sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili,
ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar,
uk ukrainian, ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, zh chinese
"""
#: Other names and codes that servers use.
_ALIASES = """
ca valencian, es castilian, fa farsi, he iw, ht haitian, id in, jv jw, lb letzeburgesch, my myanmar,
nl flemish, pa panjabi, ps pushto, ro moldavian, ro moldovan, si sinhalese, tl filipino,
tl fil, yi ji, zh cantonese, zh yue, zh mandarin, zh cmn
"""


def _rows(table: str) -> list[tuple[str, str]]:
    rows = (row.strip().partition(" ") for row in table.replace("\n", " ").split(","))
    return [(code, name) for code, _, name in rows]


#: ISO code -> English name.
LANGUAGES = MappingProxyType(dict(_rows(_TABLE)))

#: As Whisper itself writes them: Javanese is ``jw``, and Hawaiian has no code of two letters.
WHISPER_CODES = tuple(sorted({*LANGUAGES} - {"jv"} | {"jw", "haw"}))

_CODES = {name: code for code, name in _rows(_TABLE) + _rows(_ALIASES)}


def language_code(name: str) -> str | None:
    """Return the ISO code of a language given as an English name, a code or a locale."""
    name = name.strip().lower()
    code = name.replace("_", "-").split("-")[0]
    return _CODES.get(name) or _CODES.get(code) or (code if code in LANGUAGES else None)
