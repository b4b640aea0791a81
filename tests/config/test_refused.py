import pytest

from borderrisk.config.refused import about_people


@pytest.mark.parametrize(
    "column",
    [
        "ethnicity", "ETHNIC_GROUP", "ethnicGroup", "pctethnic", "religion", "share-religious",
        "sect", "sectarian_index", "sunni", "pct_sunni", "share.shia", "Shi'a share", "shiite",
        "baloch", "baluch_share", "pct_balochi", "Balúch", "pashtun", "hazaras", "tribe",
        "tribal_area", "intertribal", "language", "mother_tongue", "motherTongue", "nationality",
        "nationalities2020", "refugees", "migrant_share", "kurdish", "qowmiyat", "mazhab", "islam",
        "قوم", "قومیت", "درصد_اهل_سنت_سنی", "مذهب", "مذهبي", "زبان مادری", "بلوچ", "دین", "طایفه",
        "شیعه", "ملیت",
    ],
)  # fmt: skip
def test_columns_about_people_are_refused(column):
    assert about_people(column)


@pytest.mark.parametrize(
    "column",
    [
        "elevation", "slope_mean", "ruggedness", "distance_to_baluchestan", "sistan-baluchestan",
        "Sistan va Baluchestan", "Balochistan", "baluchistan_road", "sector", "cross_section",
        "intersection", "trace", "terrace", "arable_land", "clandestine", "border_distance_afg_km",
        "distance_to_islam_qala", "Islamabad_hours", "turkmenistan", "kurdistan", "tajikistan",
        "persian_gulf_distance", "arabian_sea_km", "rainfall", "ndvi", "night_lights",
        "contribution", "distribution", "actor", "target", "nation", "river", "road_class",
        "سیستان و بلوچستان", "کردستان", "ترکمنستان", "میدین", "ارتفاع", "فاصله تا مرز", "ایلام",
    ],
)  # fmt: skip
def test_other_columns_and_places_are_let_through(column):
    assert not about_people(column)
