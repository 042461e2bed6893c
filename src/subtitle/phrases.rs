//! Small words by what they bind to, as data. Knows nothing of cost.

use std::collections::HashMap;

/// What a small word does to the breaks beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Articles, possessives, numerals that count: bound to the noun after it.
    Article,
    /// Bound to what follows; a good place to break is before it.
    Preposition,
    /// As a preposition, but bound to what stands before it too: `of`, `de`.
    Of,
    /// Conjunctions and relative words: the best place to break without punctuation is before it.
    Conjunction,
    /// Auxiliaries and words before the verb: bound to the verb after it.
    Auxiliary,
    /// Negations: bound on both sides.
    Negation,
    /// Pronouns as subjects: bound to the verb after it.
    Subject,
    /// Belongs to the word before it: particles, clitics.
    Enclitic,
}

/// One language's small words, in lower case, separated by spaces. A word in two rows counts in the first.
struct Table {
    language: &'static str,
    rows: &'static [(Kind, &'static str)],
}

use Kind::{Article, Auxiliary, Conjunction, Enclitic, Negation, Of, Preposition, Subject};

#[rustfmt::skip]
static TABLES: &[Table] = &[
    Table { language: "en", rows: &[
        (Article, "a an the my your his her its our their this these those every each no some any another such very too quite more most less just only even almost nearly"),
        (Of, "of"),
        (Preposition, "in on at by for from with without to into onto upon about over under between among through during against toward towards across behind beyond beneath beside besides near within throughout despite per via off around amid above below inside outside"),
        (Conjunction, "and or but nor so yet because although though while when whenever where wherever if unless until till since after before whereas that which who whom whose as than whether once why how what"),
        (Auxiliary, "am is are was were be been being have has had having do does did will would shall should can could may might must ought never don't doesn't didn't won't wouldn't can't cannot couldn't shouldn't isn't aren't wasn't weren't haven't hasn't hadn't i'm you're we're they're he's she's it's i've you've we've they've i'll you'll he'll she'll we'll they'll i'd you'd he'd she'd we'd they'd that's there's let's gonna wanna"),
        (Negation, "not"),
        (Subject, "i you he she it we they there"),
    ] },
    Table { language: "de", rows: &[
        (Article, "der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner mein meine meinen meinem meiner dein deine deinen sein seine seinen seinem seiner ihr ihre ihren ihrem ihrer unser unsere unseren euer eure dieser diese dieses diesen diesem jeder jede jedes jeden jedem sehr zu so viel nur"),
        (Of, "von vom"),
        (Preposition, "in im ins an am ans auf aufs aus bei beim mit nach seit zum zur für durch gegen ohne um über unter vor vorm hinter neben zwischen während wegen trotz bis ab"),
        (Conjunction, "und oder aber denn sondern weil dass daß ob wenn als wie während obwohl damit nachdem bevor sobald sodass falls wo was wer wen wem wann warum welcher welche welches deren dessen"),
        (Auxiliary, "bin bist ist sind seid war warst waren wart habe hast hat haben hatte hatten werde wirst wird werden wurde wurden würde würden kann kannst können konnte könnte muss musst müssen soll sollst sollen sollte will willst wollen wollte darf dürfen mag möchte nie niemals"),
        (Negation, "nicht"),
        (Subject, "ich du er sie es wir man"),
    ] },
    Table { language: "fr", rows: &[
        (Article, "le la les un une des mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces quel quelle quels quelles chaque plusieurs très trop plus moins aucun aucune tout toute tous toutes"),
        (Of, "de du d'"),
        (Preposition, "à au aux en dans par pour sur sous avec sans chez vers contre entre depuis pendant avant après devant derrière malgré selon dès jusque jusqu'à jusqu'au parmi"),
        (Conjunction, "et ou mais donc or ni car que qui quoi dont où quand lorsque puisque parce comme si quoique afin tandis"),
        (Auxiliary, "suis es est sommes êtes sont étais était étions étiez étaient serai sera seront serait ai as a avons avez ont avais avait avaient aurai aura aurait vais va vont peux peut peuvent dois doit doivent veux veut ne n' jamais me te se lui y c'est j'ai n'est n'ai"),
        (Negation, "pas"),
        (Subject, "je tu il elle on nous vous ils elles j' ça ce"),
    ] },
    Table { language: "es", rows: &[
        (Article, "el la los las un una unos unas lo al mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta estos estas ese esa esos esas aquel aquella cada ningún ninguna algún alguna muy más menos tan todo toda todos todas"),
        (Of, "de del"),
        (Preposition, "a en por para con sin sobre entre desde hasta hacia contra según tras bajo ante durante mediante"),
        (Conjunction, "y e o u pero sino ni que porque pues aunque si cuando donde mientras como quien quienes cual cuales cuyo cuya"),
        (Auxiliary, "soy eres es somos son era eras eran fue fueron será serán sería ser estoy estás está estamos están estaba estaban he has ha hemos han había habían haber voy vas va vamos van puedo puede pueden debo debe deben quiero quiere no nunca me te se le les nos os"),
        (Subject, "yo tú él ella usted nosotros ellos ellas ustedes"),
    ] },
    Table { language: "it", rows: &[
        (Article, "il lo la i gli le un uno una l' mio mia miei mie tuo tua suo sua suoi sue nostro nostra vostro vostra loro questo questa questi queste quello quella quelli quelle ogni molto più meno troppo così tutto tutta tutti tutte"),
        (Of, "di del dello della dei degli delle dell'"),
        (Preposition, "a al allo alla ai agli alle da dal dallo dalla dai dagli dalle in nel nello nella nei negli nelle con su sul sullo sulla sui sugli sulle per tra fra senza contro verso durante dopo prima sotto sopra lungo"),
        (Conjunction, "e ed o oppure ma però perché che chi cui se quando dove mentre come anche né quindi poiché affinché"),
        (Auxiliary, "sono sei è siamo siete era eri erano sarà saranno sarebbe essere ho hai ha abbiamo avete hanno avevo aveva avevano avere sto stai sta stiamo stanno posso può possono devo deve devono voglio vuole non mai mi ti si ci vi ne"),
        (Subject, "io tu lui lei noi voi essi"),
    ] },
    Table { language: "pt", rows: &[
        (Article, "o a os as um uma uns umas meu minha meus minhas teu tua seu sua seus suas nosso nossa este esta estes estas esse essa esses essas aquele aquela cada muito mais menos tão todo toda todos todas"),
        (Of, "de do da dos das"),
        (Preposition, "ao aos à às em no na nos nas num numa por pelo pela pelos pelas para pra com sem sobre entre desde até contra sob durante após perante"),
        (Conjunction, "e ou mas porém nem que porque pois embora se quando onde enquanto como quem qual quais cujo cuja"),
        (Auxiliary, "sou és é somos são era eram foi foram será serão seria ser estou está estamos estão estava estavam tenho tem temos têm tinha tinham ter vou vai vamos vão posso pode podem devo deve devem quero quer não nunca me te lhe"),
        (Subject, "eu tu ele ela você nós eles elas vocês"),
    ] },
    Table { language: "ru", rows: &[
        (Article, "мой моя моё мои твой твоя твои наш наша наши ваш ваша ваши этот эта это эти тот та те весь вся все каждый каждая очень самый самая слишком"),
        (Preposition, "в во на с со к ко по за из изо от ото до для без безо о об обо при про через над под подо перед между у около после среди против ради сквозь вокруг"),
        (Conjunction, "и а но или либо да что чтобы как когда где если потому поскольку хотя пока который которая которое которые которого которой которых кто чей куда откуда зачем почему чем"),
        (Auxiliary, "не ни был была было были буду будет будут будем есть может могу могут можно нужно надо должен должна должно должны"),
        (Subject, "я ты он она оно мы вы они"),
        (Enclitic, "же ли бы б ж ведь"),
    ] },
    Table { language: "nl", rows: &[
        (Article, "de het een mijn jouw zijn haar ons onze jullie hun deze dit die dat elke elk geen heel erg te"),
        (Of, "van"),
        (Preposition, "in op aan bij met naar uit voor door over onder tegen zonder om tot tussen achter naast tijdens sinds volgens"),
        (Conjunction, "en of maar want omdat als wanneer terwijl hoewel zodat dus toen waar wat wie hoe"),
        (Auxiliary, "ben bent is was waren heb hebt heeft hebben had hadden zal zult zullen zou zouden kan kunt kunnen kon moet moeten mag wil willen wordt worden nooit"),
        (Negation, "niet"),
        (Subject, "ik jij je hij zij ze wij we u"),
    ] },
    Table { language: "pl", rows: &[
        (Article, "mój moja moje twój twoja twoje jego jej nasz nasza ich ten ta to te każdy każda bardzo"),
        (Preposition, "w we na z ze do od ode po za o u przy dla bez nad pod przed między przez ku"),
        (Conjunction, "i a ale lub albo bo że żeby aby jak kiedy gdy gdzie jeśli ponieważ który która które którzy kto co czy"),
        (Auxiliary, "nie jest są był była było byli będę będzie będą może mogę można trzeba"),
        (Subject, "ja ty on ona ono my wy oni one"),
        (Enclitic, "się by"),
    ] },
    Table { language: "sv", rows: &[
        (Article, "en ett den det de min mitt mina din ditt dina sin sitt sina hans hennes vår vårt våra deras varje mycket ingen inget"),
        (Of, "av"),
        (Preposition, "i på till från med utan för om under över genom mot mellan efter före vid hos bakom åt"),
        (Conjunction, "och eller men för att som när där om eftersom medan fast så"),
        (Auxiliary, "är var blir har hade ska skulle kan kunde måste vill ville aldrig"),
        (Negation, "inte"),
        (Subject, "jag du han hon vi ni"),
    ] },
    Table { language: "ko", rows: &[(Enclitic, "것 것이 것은 것을 수 때 등 뿐 적 데 줄")] },
];

/// Titles and other abbreviations whose full stop ends no sentence, in lower case without it.
#[rustfmt::skip]
static ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "st", "prof", "rev", "gen", "col", "capt", "lt", "sgt", "sen", "rep", "gov", "hon", "messrs", "mt",
    "vs", "e.g", "i.e", "cf", "fig", "no", "vol", "ca", "approx",
    "hr", "fr", "frl", "z.b", "d.h", "u.a", "bzw", "nr", "usw",
    "mme", "mlle", "m", "mgr", "sr", "sra", "srta", "ud", "uds", "d", "dña", "dott", "sig", "sig.ra", "avv", "ing", "exmo", "tel",
    "г", "гг", "ул", "т.е", "т.д", "т.п", "им", "dhr", "mevr", "bijv",
];

/// True for `Mr.`, `z.B.`, and initials such as `J.`: `word` ends with a full stop.
pub fn is_abbreviation(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let initial =
        bare.chars().count() == 1 && bare != "i" && word.chars().next().is_some_and(char::is_uppercase);
    initial || ABBREVIATIONS.contains(&bare.as_str())
}

/// The small words of a language; empty where none are known.
pub fn small_words(whisper_code: &str) -> HashMap<&'static str, Kind> {
    let mut kinds = HashMap::new();
    for (kind, row) in TABLES.iter().filter(|t| t.language == whisper_code).flat_map(|t| t.rows) {
        for word in row.split(' ') {
            kinds.entry(word).or_insert(*kind);
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::{Kind, TABLES, is_abbreviation, small_words};

    #[test]
    fn tables_are_clean() {
        for table in TABLES {
            table.language.parse::<crate::language::Language>().unwrap();
            for word in table.rows.iter().flat_map(|r| r.1.split(' ')) {
                assert!(!word.is_empty() && word.to_lowercase() == word, "{}: {word:?}", table.language);
            }
        }
        assert_eq!(small_words("en").get("the"), Some(&Kind::Article));
        assert!(small_words("haw").is_empty());
    }

    #[test]
    fn titles_and_initials_are_abbreviations_and_words_are_not() {
        let check = |word, expected| assert_eq!(is_abbreviation(word), expected, "{word}");
        check("Mr.", true);
        check("(Dr.", true);
        check("J.", true);
        check("z.B.", true);
        check("it.", false);
        check("I.", false);
    }
}
