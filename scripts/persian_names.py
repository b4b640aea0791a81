"""Pick the Persian name of a place among alternate names in many languages.

GeoNames lists alternate names without their language here, and Persian shares its script with
Arabic, Urdu, Pashto, Kurdish and Uyghur. Two things tell them apart: letters that Persian never
uses, and how well the consonants of a name agree with those of the Latin one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

PERSIAN_SPOKEN = ("IRN", "AFG")
MIN_AGREEMENT = 0.5
_LETTERS = "ءآابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیئأؤ"
_ARABIC_FORMS = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "إ": "ا", "ـ": ""})
_VOWEL_SIGNS = re.compile("[\u064b-\u0655\u0670]")
_PERSIAN_NAME = re.compile(rf"[{_LETTERS}\u200c \-()]+")
_ONLY_PERSIAN = re.compile("[پچژگکی]")
_VOWELS = re.compile("[aeiouywv'’ʿʾ`]")
_DIGRAPHS = {
    "sh": "š",
    "ch": "č",
    "kh": "x",
    "gh": "g",
    "que": "k",
    "q": "g",
    "zh": "ž",
    "ck": "k",
    "c": "k",
}
_SOUNDS = {
    "ب": "b", "پ": "p", "ت": "t", "ث": "s", "ج": "j", "چ": "č", "ح": "h", "خ": "x", "د": "d",
    "ذ": "z", "ر": "r", "ز": "z", "ژ": "ž", "س": "s", "ش": "š", "ص": "s", "ض": "z", "ط": "t",
    "ظ": "z", "غ": "g", "ف": "f", "ق": "g", "ک": "k", "گ": "g", "ل": "l", "م": "m", "ن": "n",
    "ه": "h",
}  # fmt: skip


def persian_name(name: str, alternates: Iterable[str], country: str) -> str:
    """Return the alternate name most likely to be Persian, or an empty text.

    Parameters
    ----------
    name : str
        The place's main name, Latin letters.
    alternates : iterable of str
        Names in any language and script.
    country : str
        ISO 3166-1 alpha-3. In Iran and Afghanistan Arabic forms of ye and kaf are taken as a
        typist's habit and replaced; elsewhere they mean that the name is Arabic.

    Examples
    --------
    >>> persian_name("Chabahar", ["تشابهار", "بندر چابهار", "چابهار", "چابہار"], "IRN")
    'چابهار'
    """
    scored = [
        (agreement(name, text), *_tidiness(name, text, original), text)
        for original, text in _candidates(alternates, country)
    ]
    best = max(scored, default=None)
    return best[-1] if best and best[0] >= MIN_AGREEMENT else ""


def agreement(latin: str, persian: str) -> float:
    """Share of consonants that two spellings have in common, 0 to 1."""
    return SequenceMatcher(None, _latin_consonants(latin), _persian_consonants(persian)).ratio()


def _tidiness(name: str, text: str, original: str) -> tuple[int, bool, bool, int]:
    """Order among names whose consonants agree equally well with the Latin one."""
    words_apart = not re.search(r"\w[آ]", text)
    right_t = ("ط" in text) == bool(re.search("[ţṭ]", name.lower()))
    no_odd_vav = "و" not in text.replace("خوا", "خا") or bool(re.search("[ouwv]", _plain(name)))
    own_letters = bool(_ONLY_PERSIAN.search(text))
    return words_apart + right_t + no_odd_vav, text == original, own_letters, -len(text)


def _candidates(alternates: Iterable[str], country: str) -> Iterable[tuple[str, str]]:
    for original in alternates:
        text = original.strip()
        if country in PERSIAN_SPOKEN:
            text = _VOWEL_SIGNS.sub("", text.translate(_ARABIC_FORMS))
        elif text.startswith("ال") or re.search("[أؤإ]", text):
            continue
        if _PERSIAN_NAME.fullmatch(text):
            yield original, text


def _latin_consonants(text: str) -> str:
    return "".join(c for c in _VOWELS.sub("", _plain(text)) if c.isalpha())


def _plain(text: str) -> str:
    """Lower case without marks, one letter per sound."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not _is_mark(c))
    for pair, sound in _DIGRAPHS.items():
        plain = plain.replace(pair, sound)
    return plain


def _persian_consonants(text: str) -> str:
    return "".join(_SOUNDS.get(c, "") for c in text)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"
