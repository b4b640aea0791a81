import pytest

from borderrisk.config.checks import about_people


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
        "pct_balouch", "balouchi", "balochs", "Baluchis", "balooch", "balotch", "Baloč", "ballouch",
        "pashtoon", "pakhtun", "pukhtoon_share", "pushtuns", "paxtun", "pashtu", "pathans",
        "turkmens", "turkoman", "turcoman", "torkaman_share", "turkmenShare", "sonni", "sunnee",
        "sunnites", "shiah", "sheea", "shiites", "shiism", "shieh", "pctsunni", "balochpop",
        "hazarapercent", "tadjiks", "azeri", "aimaq", "sistani_share", "lurs", "brahvi",
    ],
)  # fmt: skip
def test_every_spelling_of_a_people_or_faith_is_refused(column):
    assert about_people(column)


@pytest.mark.parametrize(
    "column",
    [
        "madhab", "mathhab", "minority_share", "minorities", "creed", "dialect", "dialects_2011",
        "farsi", "pct_dari", "languages", "lang_share", "urdu_speakers", "mosque_density",
        "mosques", "masjid_count", "madrasa_km", "pct_relig", "ismaili", "nomads", "racial",
        "اقلیت", "اقليت‌ها", "لهجه", "گویش", "مسجد", "آذری", "ترکمن", "پشتو", "عرب",
    ],
)  # fmt: skip
def test_other_words_for_identity_are_refused(column):
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


@pytest.mark.parametrize(
    "column",
    [
        "border_distance_tkm_km", "border_distance_pak_km", "population", "population_density",
        "pop_density", "minor_road", "minor_roads_km", "majority_landcover", "share", "density",
        "tributary_density", "tributaries", "native_vegetation", "national_park", "relief",
        "relative_height", "langar_km", "template",
        "shrub_share", "shipping", "shire", "shear", "sunny_days", "sheet_flow",
        "path_density", "pasture", "pastures", "batch", "balcony", "ballot", "lure", "terrain",
        "tracker", "dam_distance", "castle", "gypsum", "salt_flat", "jet_fuel", "card", "cordon",
        "armenia", "azerbaijan", "khyber_pakhtunkhwa", "pashtun_zarghun_km", "masjed_soleyman",
        "bandar-e-torkaman", "turkmen_sahra", "turkmenbashi_km", "hazarajat", "luristan",
        "khorasan", "shatt_al_arab", "chaharmahal_bakhtiari", "talesh", "zabol_km", "zahedan",
        "شهر کرد", "بندر ترکمن", "خلیج فارس", "جمعیت", "راه", "رودخانه",
    ],
)  # fmt: skip
def test_words_and_places_that_only_look_alike_are_let_through(column):
    assert not about_people(column)
