"""Where spaces are between words and where not, to the character."""

import pytest

from processing.engines.spacing import is_letter_word, spaced, words_of


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param(["so", "it", "was"], "so it was", id="English"),
        pytest.param(["今", "天", "好。", "我", "们"], "今天好。我们", id="Chinese"),
        pytest.param(
            ["「今", "日", "は」", "ラ", "ー", "メ", "ン"], "「今日は」ラーメン", id="Japanese"
        ),
        pytest.param(["ｶ", "ﾞ", "𠮷", "野"], "ｶﾞ𠮷野", id="rare letters"),
        pytest.param(["안녕", "하세요"], "안녕 하세요", id="Korean has spaces"),
        pytest.param(["ส", "วั", "ส", "ดี"], "สวัสดี", id="Thai"),
        pytest.param(["ສະ", "ບາຍ", "ດີ"], "ສະບາຍດີ", id="Lao"),
        pytest.param(["ភា", "សា"], "ភាសា", id="Khmer"),
        pytest.param(["မြ", "န်", "မာ"], "မြန်မာ", id="Burmese"),
        pytest.param(["用", "Python", "写"], "用 Python 写", id="mixed"),
        pytest.param(["in", "東", "京", "today"], "in 東京 today", id="mixed the other way"),
        pytest.param(["", "a", "", "b"], "a b", id="nothing is no word"),
        pytest.param([], "", id="no words"),
    ],
)
def test_spaces_are_where_the_scripts_of_both_sides_have_them(words: list[str], text: str) -> None:
    assert spaced(words) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(" so  it\nwas ", ["so", "it", "was"], id="English"),
        pytest.param("今天好。我们", ["今", "天", "好。", "我", "们"], id="Chinese"),
        pytest.param("他说:“好”。", ["他", "说:“好”。"], id="quotes that Latin has, too"),
        pytest.param(
            "「今日は」と", ["「今", "日", "は」", "と"], id="brackets stay with their letters"
        ),
        pytest.param("我用Python写的", ["我", "用Python写", "的"], id="mixed without spaces"),
        pytest.param("我用 Python 写", ["我", "用", "Python", "写"], id="mixed with spaces"),
        pytest.param("เที่ไทย", ["เที่", "ไท", "ย"], id="a vowel that is written first"),
        pytest.param("ខ្មែរ", ["ខ្មែ", "រ"], id="a consonant under another"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_without_spaces_a_letter_with_its_marks_is_a_word(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好。我们用Python写代码,好吗?",
        "「今日は」と言った。",
        "ភាសាខ្មែរ",
        "မြန်မာဘာသာ",
        "It is well-known.",
    ],
)
def test_the_words_of_a_text_make_it_again(text: str) -> None:
    assert spaced(words_of(text)) == text


@pytest.mark.parametrize(
    ("word", "is_one"), [("好。", True), ("ที่", True), ("so", False), ("", False)]
)
def test_a_word_that_is_a_letter_is_told_from_others(word: str, is_one: bool) -> None:
    assert is_letter_word(word) is is_one
