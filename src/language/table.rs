//! The names of Whisper's hundred languages, as data. Knows nothing of how they are looked up.
//!
//! Sources: whisper.cpp's language list (codes, order, names), ISO 639-1/-2/-3, CLDR (native names).
//! Cantonese has no ISO 639-2 code of its own; there it goes by Chinese.

use super::Entry;

/// `whisper, 639-1 ("" for none), 639-2/B, 639-2/T, 639-3, English name, native name`, then, where they
/// differ, Whisper's own name for it ("" for the English one) and other spellings, all in lower case.
macro_rules! table {
    ($($w:literal $one:literal $b:literal $t:literal $three:literal $en:literal $native:literal
        $(/ $own:literal $($alias:literal)*)?;)+) => {
        pub(super) static TABLE: &[Entry] = &[$(Entry {
            whisper: $w, iso1: $one, iso2b: $b, iso2t: $t, iso3: $three, english: $en, native: $native,
            own: concat!("", $($own)?), aliases: &[$($($alias),*)?],
        }),+];
    };
}

#[rustfmt::skip]
table! {
    "en" "en" "eng" "eng" "eng" "English" "English";
    "zh" "zh" "chi" "zho" "zho" "Chinese" "中文" / "" "mandarin" "mandarin chinese" "cmn" "zht" "zt" "zhs" "chinese simplified" "chinese traditional" "simplified chinese" "traditional chinese";
    "de" "de" "ger" "deu" "deu" "German" "Deutsch" / "" "gsw" "swiss german";
    "es" "es" "spa" "spa" "spa" "Spanish" "Español" / "" "castilian" "spl" "ea" "latin american spanish";
    "ru" "ru" "rus" "rus" "rus" "Russian" "Русский";
    "ko" "ko" "kor" "kor" "kor" "Korean" "한국어";
    "fr" "fr" "fre" "fra" "fra" "French" "Français";
    "ja" "ja" "jpn" "jpn" "jpn" "Japanese" "日本語";
    "pt" "pt" "por" "por" "por" "Portuguese" "Português" / "" "pob" "pb" "brazilian portuguese" "brazilian";
    "tr" "tr" "tur" "tur" "tur" "Turkish" "Türkçe";
    "pl" "pl" "pol" "pol" "pol" "Polish" "Polski";
    "ca" "ca" "cat" "cat" "cat" "Catalan" "Català" / "" "valencian";
    "nl" "nl" "dut" "nld" "nld" "Dutch" "Nederlands" / "" "flemish" "vls";
    "ar" "ar" "ara" "ara" "ara" "Arabic" "العربية" / "" "arb";
    "sv" "sv" "swe" "swe" "swe" "Swedish" "Svenska";
    "it" "it" "ita" "ita" "ita" "Italian" "Italiano";
    "id" "id" "ind" "ind" "ind" "Indonesian" "Bahasa Indonesia" / "" "in";
    "hi" "hi" "hin" "hin" "hin" "Hindi" "हिन्दी";
    "fi" "fi" "fin" "fin" "fin" "Finnish" "Suomi";
    "vi" "vi" "vie" "vie" "vie" "Vietnamese" "Tiếng Việt";
    "he" "he" "heb" "heb" "heb" "Hebrew" "עברית" / "" "iw";
    "uk" "uk" "ukr" "ukr" "ukr" "Ukrainian" "Українська";
    "el" "el" "gre" "ell" "ell" "Greek" "Ελληνικά" / "" "modern greek";
    "ms" "ms" "may" "msa" "msa" "Malay" "Bahasa Melayu" / "" "zsm" "zlm";
    "cs" "cs" "cze" "ces" "ces" "Czech" "Čeština";
    "ro" "ro" "rum" "ron" "ron" "Romanian" "Română" / "" "moldavian" "moldovan" "mo" "mol";
    "da" "da" "dan" "dan" "dan" "Danish" "Dansk";
    "hu" "hu" "hun" "hun" "hun" "Hungarian" "Magyar";
    "ta" "ta" "tam" "tam" "tam" "Tamil" "தமிழ்";
    "no" "no" "nor" "nor" "nor" "Norwegian" "Norsk" / "" "nb" "nob" "bokmal" "bokmål" "norwegian bokmal" "norwegian bokmål";
    "th" "th" "tha" "tha" "tha" "Thai" "ไทย";
    "ur" "ur" "urd" "urd" "urd" "Urdu" "اردو";
    "hr" "hr" "hrv" "hrv" "hrv" "Croatian" "Hrvatski" / "" "scr";
    "bg" "bg" "bul" "bul" "bul" "Bulgarian" "Български";
    "lt" "lt" "lit" "lit" "lit" "Lithuanian" "Lietuvių";
    "la" "la" "lat" "lat" "lat" "Latin" "Latina";
    "mi" "mi" "mao" "mri" "mri" "Maori" "Māori";
    "ml" "ml" "mal" "mal" "mal" "Malayalam" "മലയാളം";
    "cy" "cy" "wel" "cym" "cym" "Welsh" "Cymraeg";
    "sk" "sk" "slo" "slk" "slk" "Slovak" "Slovenčina";
    "te" "te" "tel" "tel" "tel" "Telugu" "తెలుగు";
    "fa" "fa" "per" "fas" "fas" "Persian" "فارسی" / "" "farsi" "dari" "pes" "prs";
    "lv" "lv" "lav" "lav" "lav" "Latvian" "Latviešu" / "" "lvs";
    "bn" "bn" "ben" "ben" "ben" "Bengali" "বাংলা" / "" "bangla";
    "sr" "sr" "srp" "srp" "srp" "Serbian" "Српски" / "" "scc" "srpski";
    "az" "az" "aze" "aze" "aze" "Azerbaijani" "Azərbaycanca" / "" "azeri" "azj";
    "sl" "sl" "slv" "slv" "slv" "Slovenian" "Slovenščina" / "" "slovene";
    "kn" "kn" "kan" "kan" "kan" "Kannada" "ಕನ್ನಡ";
    "et" "et" "est" "est" "est" "Estonian" "Eesti" / "" "ekk";
    "mk" "mk" "mac" "mkd" "mkd" "Macedonian" "Македонски";
    "br" "br" "bre" "bre" "bre" "Breton" "Brezhoneg";
    "eu" "eu" "baq" "eus" "eus" "Basque" "Euskara";
    "is" "is" "ice" "isl" "isl" "Icelandic" "Íslenska";
    "hy" "hy" "arm" "hye" "hye" "Armenian" "Հայերեն";
    "ne" "ne" "nep" "nep" "nep" "Nepali" "नेपाली" / "" "npi";
    "mn" "mn" "mon" "mon" "mon" "Mongolian" "Монгол" / "" "khk";
    "bs" "bs" "bos" "bos" "bos" "Bosnian" "Bosanski";
    "kk" "kk" "kaz" "kaz" "kaz" "Kazakh" "Қазақша";
    "sq" "sq" "alb" "sqi" "sqi" "Albanian" "Shqip" / "" "als";
    "sw" "sw" "swa" "swa" "swa" "Swahili" "Kiswahili" / "" "swh";
    "gl" "gl" "glg" "glg" "glg" "Galician" "Galego";
    "mr" "mr" "mar" "mar" "mar" "Marathi" "मराठी";
    "pa" "pa" "pan" "pan" "pan" "Punjabi" "ਪੰਜਾਬੀ" / "" "panjabi";
    "si" "si" "sin" "sin" "sin" "Sinhala" "සිංහල" / "" "sinhalese";
    "km" "km" "khm" "khm" "khm" "Khmer" "ខ្មែរ";
    "sn" "sn" "sna" "sna" "sna" "Shona" "ChiShona";
    "yo" "yo" "yor" "yor" "yor" "Yoruba" "Yorùbá";
    "so" "so" "som" "som" "som" "Somali" "Soomaali";
    "af" "af" "afr" "afr" "afr" "Afrikaans" "Afrikaans";
    "oc" "oc" "oci" "oci" "oci" "Occitan" "Occitan";
    "ka" "ka" "geo" "kat" "kat" "Georgian" "ქართული";
    "be" "be" "bel" "bel" "bel" "Belarusian" "Беларуская";
    "tg" "tg" "tgk" "tgk" "tgk" "Tajik" "Тоҷикӣ";
    "sd" "sd" "snd" "snd" "snd" "Sindhi" "سنڌي";
    "gu" "gu" "guj" "guj" "guj" "Gujarati" "ગુજરાતી";
    "am" "am" "amh" "amh" "amh" "Amharic" "አማርኛ";
    "yi" "yi" "yid" "yid" "yid" "Yiddish" "ייִדיש" / "" "ji" "ydd";
    "lo" "lo" "lao" "lao" "lao" "Lao" "ລາວ";
    "uz" "uz" "uzb" "uzb" "uzb" "Uzbek" "Oʻzbekcha" / "" "uzn";
    "fo" "fo" "fao" "fao" "fao" "Faroese" "Føroyskt";
    "ht" "ht" "hat" "hat" "hat" "Haitian Creole" "Kreyòl ayisyen" / "" "haitian";
    "ps" "ps" "pus" "pus" "pus" "Pashto" "پښتو" / "" "pushto";
    "tk" "tk" "tuk" "tuk" "tuk" "Turkmen" "Türkmençe";
    "nn" "nn" "nno" "nno" "nno" "Norwegian Nynorsk" "Norsk nynorsk" / "nynorsk";
    "mt" "mt" "mlt" "mlt" "mlt" "Maltese" "Malti";
    "sa" "sa" "san" "san" "san" "Sanskrit" "संस्कृतम्";
    "lb" "lb" "ltz" "ltz" "ltz" "Luxembourgish" "Lëtzebuergesch" / "" "letzeburgesch";
    "my" "my" "bur" "mya" "mya" "Burmese" "မြန်မာ" / "myanmar";
    "bo" "bo" "tib" "bod" "bod" "Tibetan" "བོད་སྐད་";
    "tl" "tl" "tgl" "tgl" "tgl" "Tagalog" "Tagalog" / "" "fil" "filipino";
    "mg" "mg" "mlg" "mlg" "mlg" "Malagasy" "Malagasy" / "" "plt";
    "as" "as" "asm" "asm" "asm" "Assamese" "অসমীয়া";
    "tt" "tt" "tat" "tat" "tat" "Tatar" "Татарча";
    "haw" "" "haw" "haw" "haw" "Hawaiian" "ʻŌlelo Hawaiʻi";
    "ln" "ln" "lin" "lin" "lin" "Lingala" "Lingála";
    "ha" "ha" "hau" "hau" "hau" "Hausa" "Hausa";
    "ba" "ba" "bak" "bak" "bak" "Bashkir" "Башҡортса";
    "jw" "jv" "jav" "jav" "jav" "Javanese" "Basa Jawa";
    "su" "su" "sun" "sun" "sun" "Sundanese" "Basa Sunda";
    "yue" "" "chi" "zho" "yue" "Cantonese" "粵語" / "" "zh-yue" "cantonese chinese" "yue chinese" "广东话" "廣東話";
}
