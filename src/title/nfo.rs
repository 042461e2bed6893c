//! Kodi's and Jellyfin's NFO files: titles, who plays whom, the plot. Pure; opens no file.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// What an NFO says, as far as a prompt has use for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nfo {
    /// Title, title of the series, original title; none twice.
    pub titles: Vec<String>,
    /// Roles in the order of the cast; the actor's own name where somebody plays themself.
    pub names: Vec<String>,
    pub plot: String,
}

/// What describes something with a title; a file may hold several episodes.
const ROOTS: &[&str] = &["movie", "tvshow", "episodedetails", "musicvideo"];
/// A name is no sentence.
const LONGEST_NAME: usize = 60;
const LONGEST_TITLE: usize = 120;

/// Reads an NFO. Fails with the reason when it is no XML, or nothing that has a title.
pub fn parse(text: &str) -> Result<Nfo, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    // Titles with a bare `&` are common.
    reader.config_mut().allow_dangling_amp = true;
    let mut nfo = Nfo::default();
    let mut path: Vec<String> = Vec::new();
    let (mut value, mut actor, mut found) = (String::new(), Actor::default(), false);
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_ascii_lowercase());
                found |= path.len() == 1 && ROOTS.contains(&path[0].as_str());
                value.clear();
            }
            Event::Text(text) => value += &text.xml10_content(),
            Event::CData(text) => value += &text.xml10_content(),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => value.push(c),
                _ => value += resolve_predefined_entity(name.as_ref()).unwrap_or(" "),
            },
            Event::End(_) => {
                nfo.take(&path, &value, &mut actor);
                path.pop();
                value.clear();
            }
            Event::Eof if !path.is_empty() => return Err(format!("it ends inside <{}>", path.join("><"))),
            Event::Eof if !found => return Err(format!("it holds none of <{}>", ROOTS.join(">, <"))),
            Event::Eof => return Ok(nfo),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Actor {
    name: String,
    role: String,
}

impl Nfo {
    /// Takes up an element that ends here.
    fn take(&mut self, path: &[String], value: &str, actor: &mut Actor) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let [root, inner @ ..] = names.as_slice() else { return };
        if !ROOTS.contains(root) {
            return;
        }
        let value = line(value);
        match inner {
            ["title" | "showtitle" | "originaltitle"] if value.chars().count() <= LONGEST_TITLE => {
                push(&mut self.titles, value)
            }
            ["plot"] => self.plot += &(value + " "),
            ["actor", "name"] => actor.name = value,
            ["actor", "role"] => actor.role = value,
            ["actor"] => {
                let Actor { name, role } = std::mem::take(actor);
                roles(&name, &role).into_iter().for_each(|name| push(&mut self.names, name));
            }
            _ => {}
        }
    }
}

fn push(list: &mut Vec<String>, value: String) {
    if !value.is_empty() && !list.contains(&value) {
        list.push(value);
    }
}

/// Without line breaks and other control characters.
fn line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The names that may be called in the film: `Diana Prince / Wonder Woman` has two.
fn roles(actor: &str, role: &str) -> Vec<String> {
    let role: String = role.split('(').next().unwrap_or_default().into();
    if is_self(&role) {
        return vec![actor.to_owned()].into_iter().filter(|name| is_name(name)).collect();
    }
    let parts = role.split(['/', ',', ';']).flat_map(|part| part.split(" aka "));
    parts.map(str::trim).filter(|part| is_name(part)).map(str::to_owned).collect()
}

/// Nobody's role: the person speaks for themself.
fn is_self(role: &str) -> bool {
    let role = role.trim().to_lowercase();
    let first = role.split([' ', '-']).next().unwrap_or_default();
    role.is_empty() || ["self", "himself", "herself", "themselves", "host", "moderator"].contains(&first)
}

/// `Man #2`, `Narrator` and `Additional Voices` are called by nobody.
fn is_name(part: &str) -> bool {
    let lower = part.to_lowercase();
    let nobody = ["narrator", "voice", "various", "additional", "uncredited", "unknown"];
    !part.is_empty()
        && part.chars().count() <= LONGEST_NAME
        && part.chars().any(char::is_alphabetic)
        && !part.contains(|c: char| c.is_ascii_digit() || c == '#')
        && !nobody.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_has_titles_a_plot_and_the_names_of_its_roles() {
        let nfo = parse(
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<!-- made by hand -->\n<movie>\
             <title>Der dritte Mann</title><originaltitle>The Third Man</originaltitle>\
             <set><name>None of this</name></set><plot>In Vienna\n Holly looks for Harry.</plot>\
             <actor><name>Joseph Cotten</name><role>Holly Martins</role><order>0</order></actor>\
             <actor><role>Anna Schmidt (uncredited)</role><name>Alida Valli</name></actor>\
             <actor><name>Orson Welles</name><role>Harry Lime / Mr. Lime</role></actor>\
             <actor><name>A</name><role>Policeman #2</role></actor><actor><name>Carol Reed</name><role>Narrator</role>\
             </actor><director>Carol Reed</director></movie>\nhttps://films.example/949\n",
        )
        .unwrap();
        assert_eq!(nfo.titles, ["Der dritte Mann", "The Third Man"]);
        assert_eq!(nfo.names, ["Holly Martins", "Anna Schmidt", "Harry Lime", "Mr. Lime"]);
        assert_eq!(nfo.plot.trim(), "In Vienna Holly looks for Harry.");
    }

    #[test]
    fn who_plays_no_role_is_called_by_their_own_name() {
        let nfo = parse(
            "<episodedetails><title>One</title><actor><name>Kim Doe</name></actor><actor><name>Jo Roe</name>\
             <role>Self - Host</role></actor></episodedetails><episodedetails><title>Two</title></episodedetails>",
        )
        .unwrap();
        assert_eq!(
            (nfo.titles, nfo.names),
            (vec!["One".into(), "Two".into()], vec!["Kim Doe".into(), "Jo Roe".into()])
        );
    }

    #[test]
    fn entities_and_bare_ampersands_are_read_as_people_mean_them() {
        let title =
            |inner: &str| parse(&format!("<movie><title>{inner}</title></movie>")).map(|nfo| nfo.titles);
        let check = |inner: &str, expected: &str| assert_eq!(title(inner), Ok(vec![expected.to_owned()]));
        check("Tom &amp; Jerry", "Tom & Jerry");
        check("Tom & Jerry", "Tom & Jerry");
        check("Caf&#233; &#x26; Bar", "Café & Bar");
        check("<![CDATA[A < B]]>", "A < B");
        check("a&unknown;b", "a b");
        check("a\u{7}\n  b", "a b");
    }

    #[test]
    fn what_is_no_nfo_is_refused_with_the_reason() {
        let check = |text: &str, why: &str| {
            let refused = parse(text).expect_err(text);
            assert!(refused.contains(why), "{refused}");
        };
        check("https://films.example/949", "it holds none of <movie>");
        check("<html><title>Sign in</title></html>", "it holds none of <movie>");
        check("<movie><title>x</movie>", "title");
        check("<movie><title>x", "it ends inside <movie><title>");
        check("", "it holds none of <movie>");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_file_holds_makes_it_panic(text in "(<movie>)?(<[a-z!/?]{0,6}>?|&#?x?[0-9a-f]{0,9};?|[a-z\\[\\]]{0,5}){0,30}") {
            let _ = parse(&text);
        }
    }
}
