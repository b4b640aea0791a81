"""Names of columns that no model here may use: those about people's ethnicity, faith, identity."""

from __future__ import annotations

import re
import unicodedata

# Whole words, English with Persian in Latin letters; `*` stands for any ending.
_WORDS = """
    ethn* religi* sect sects sectarian* denomination* faith* sunni* sunnite* shia shias shii shiis
    shiite* shiism muslim* islam islamic islamist* christian* jew jews jewish bahai* zoroast*
    baloch balochi balochis baluch baluchi baluchis balooch baloochi pashtun* pashto pathan
    hazara hazaras tajik tajiks turkmen turkmens turkoman* kurd kurds kurdish arab arabs arabic
    persian persians uzbek uzbeks brahui* trib* clan clans caste* language* linguist* tongue*
    nationalit* citizenship refugee* immigra* migrant* race races racial* gender surname* ancest*
    identity identities qowm* qoum* ghowm* mazhab* madhhab* zaban tayef*
    قوم قومی قومیت* اقوام مذهب مذهبی مذاهب دین دینی ادیان زبان زبانی نژاد نژادی طایفه طوایف عشیره
    عشایر ایل سنی شیعه شیعیان بلوچ پشتون هزاره تاجیک ترکمن کرد ملیت تابعیت هویت
"""
# Unmistakable even inside a longer word.
_ANYWHERE = ("ethnic", "religio", "sectarian", "mothertongue", "tribal", "قومیت", "مذهب")
# Places that carry the name of a people or a faith.
_PLACES = ("islam qala", "islam qaleh", "islam abad", "persian gulf", "arabian sea")
_FORBIDDEN = re.compile("|".join(re.escape(word).replace(r"\*", r"\w*") for word in _WORDS.split()))
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BREAK = re.compile(r"[\W_\d]+")


def about_people(column: str) -> bool:
    """Whether a column's name says that it is about ethnicity, religion or identity.

    Names of places are let through: the province of Sistan and Baluchestan is a place.

    Examples
    --------
    >>> about_people("share_baluchi"), about_people("distance_to_baluchestan")
    (True, False)
    """
    words = " ".join(_BREAK.split(_normal(column))).strip()
    for place in _PLACES:
        words = words.replace(place, "")
    glued = words.replace(" ", "")
    return any(stem in glued for stem in _ANYWHERE) or any(
        _FORBIDDEN.fullmatch(word) for word in words.split()
    )


def _normal(name: str) -> str:
    """Lower case, words apart, one spelling of the Persian letters, no apostrophes or vowels."""
    name = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name))
    name = "".join(c for c in name if not unicodedata.combining(c) and c not in "'’ʿ`")
    return name.translate(str.maketrans("يىكة", "ییکه")).lower()
