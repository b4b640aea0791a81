"""Names of columns that no model here may use: those about people's ethnicity, faith, identity."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Whole words, English with Persian in Latin letters; `*` stands for any ending.
_WORDS = """
    ethn* race races racial* tribe tribes tribal* tribesm* clan clans caste castes ancest*
    indigenous diaspora minority minorities nomad nomads nomadic kuchi kuchis koochi ashayer*
    qowm* qoum* ghowm* ghoum* qaum* nezhad tayef* identity identities hoviat hoviyat
    gender surname* forename* lastname* nationalit* citizenship foreigners melliat melliyat
    tabeiat tabeiyat refugee* immigra* migrant* muhajir* mohajer asylum*
    relig* faith* creed* belief* worship* denomination* sect sects sectarian* mazhab* madhhab*
    madhab* mathhab* mezheb* islam islamic islamist* muslim* moslem* mosalman* ismaili* deobandi*
    barelvi* salafi* wahhabi* wahabi* hanafi* sufi sufis twelver twelvers sonnat* jafari christian*
    jew jews jewish bahai* zoroast* hindu hindus sikh sikhs mosque* masjid* masjed* madrasa*
    madrassa* madreseh synagogue* church churches shrine* huseini* hussaini* husseini* hosseini*
    language* lang langs linguist* tongue* dialect* vernacular* speakers zaban* farsi farsis dari
    urdu arabic
    hazara hazaras hazaragi aimaq aimaqs aymaq* nuristani* pashai* tajik tajiks tadjik tadjiks
    brahui* brahvi* brohi brohis kurd kurds kurdish kurmanj* kormanj* arab arabs persian persians
    uzbek uzbeks ozbek ozbeks kyrgyz kirghiz kazakh kazakhs turkic turks azeri azeris lur lurs luri
    gilak gilaks gilaki bakhtiaris qashqai* ghashghai* talyshi sistani sistanis zabolis punjabi*
    sindhi sindhis saraiki* armenians assyrians georgians circassian* afghans pakistanis gypsy
    gypsies jat jats
    قوم قومی قومیت* اقوام اقلیت* مذهب مذهبی مذاهب دین دینی ادیان زبان زبانی گویش گویشی لهجه* نژاد
    نژادی طایفه طوایف عشیره عشایر ایل سنی شیعه شیعیان تشیع تسنن مسلمان* مسیحی* یهودی* زرتشتی*
    بهایی* مسجد مساجد بلوچ بلوچی بلوچها پشتون پشتونها پشتو هزاره تاجیک تاجیکها ترکمن ترکمنها ازبک
    ازبکها کرد کردها عرب عربها عربی فارسی سیستانیها لر لرها لری اذری گیلکی ملیت تابعیت هویت مهاجر
    مهاجران مهاجرین پناهنده پناهندگان اتباع
"""
# Names that are written in many ways.
_SPELLINGS = (
    r"bal+(?:o|u|oo|ou|ow|uw|w)t?ch?(?:i|y|ee|ies|is|s|es|an)?",
    r"p[aou](?:sh|kh|x)t(?:o|u|oo|ou|w)n?s?",
    r"path?ans?",
    r"(?:t[uo]+r[kc]+|trukh?)[oae]?m[ae]n+s?",
    r"s[uo]nn(?:i|ee|a|ah)(?:s|es|te|tes|sm)?",
    r"sh(?:i|ee)(?:a|ah|i|eh)s?",
    r"sh(?:i|ee)(?:a|i)(?:te?s?|sm)",
)
# Whatever people glue to such a word.
_AFFIX = "(?:pct|perc|percent|share|prop|frac|num|pop|population|density|speaking|majority)?"
# Unmistakable even inside a longer word.
_ANYWHERE = ("ethnic", "religio", "sectarian", "mothertongue", "tribal", "قومیت", "مذهب")
# Places that carry the name of a people or a faith.
_PLACES = (
    "islam qala", "islam qaleh", "islam abad", "persian gulf", "arab sea", "shatt al arab",
    "masjed soleyman", "masjid soleyman", "masjed soleiman", "masjid soleiman", "pashtun zarghun",
    "khyber pakhtun khwa", "bandar turkmen", "bandar e turkmen", "bandar torkaman",
    "bandar e torkaman", "turkmen sahra", "torkaman sahra", "torkaman chay", "turkmen desert",
    "خلیج فارس", "شهر کرد", "کرد کوی", "بندر ترکمن", "ترکمن صحرا", "ترکمن چای", "مسجد سلیمان",
)  # fmt: skip
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
        words = re.sub(rf"\b{place}\b", "", words)
    glued = words.replace(" ", "")
    return any(stem in glued for stem in _ANYWHERE) or any(
        _forbidden().fullmatch(word) for word in words.split()
    )


@cache
def _forbidden() -> re.Pattern[str]:
    words = (re.escape(word).replace(r"\*", r"\w*") for word in _WORDS.split())
    return re.compile(f"{_AFFIX}(?:{'|'.join([*words, *_SPELLINGS])}){_AFFIX}")


def _normal(name: str) -> str:
    """Lower case, words apart, one spelling of the Persian letters, no apostrophes or vowels."""
    name = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name))
    name = "".join(c for c in name if not unicodedata.combining(c) and c not in "'’ʿ`")
    return name.translate(str.maketrans("يىكة", "ییکه")).lower()
