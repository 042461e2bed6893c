//! What a request asks for, read from its query or its JSON body: every complaint names the field. Knows
//! nothing of what the fields mean.

use super::error::Error;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::{LocalBoxFuture, Ready, ready};
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The query as it came, decoded. Never fails by itself: unknown names are left alone, bad UTF-8 is replaced.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=1&b=two+words`.
    pub fn parse(query: &str) -> Params {
        web::Query::<Vec<_>>::from_query(query).map(|q| Params(q.into_inner())).unwrap_or_default()
    }

    /// The value, without the spaces around it; nothing when it is absent or blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.trim());
        value.filter(|v| !v.is_empty())
    }

    /// The value as one of a closed set; 422 when it is none of them.
    pub fn one_of<T>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.text(name).map(|v| v.parse().map_err(|e| Error::field(name, e))).transpose()
    }

    /// A whole number; 422 outside the range.
    pub fn number(&self, name: &str, default: u32, range: RangeInclusive<u32>) -> Result<u32, Error> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let wrong = || {
            let (from, to) = (range.start(), range.end());
            Error::field(name, format_args!("'{text}' is not a whole number from {from} to {to}"))
        };
        let value = text.parse().map_err(|_| wrong())?;
        if range.contains(&value) { Ok(value) } else { Err(wrong()) }
    }

    /// A switch: off for `false`, `0`, `no`, `off`; on for every other value; nothing when it is absent.
    pub fn switch(&self, name: &str) -> Option<bool> {
        let value = self.text(name)?.to_ascii_lowercase();
        Some(!matches!(value.as_str(), "false" | "0" | "no" | "off"))
    }
}

impl FromRequest for Params {
    type Error = Error;
    type Future = Ready<Result<Params, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Params::parse(req.query_string())))
    }
}

/// A JSON body is no upload.
const MAX_JSON: usize = 1 << 20;

/// A JSON body of type `T`; 422 that names the field when it is not that. Read to its end in each case.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Json<T>, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let coding = req.headers().contains_key("content-encoding");
        let mime = req.content_type().to_string();
        let mut payload = payload.take();
        async move {
            let mut body = web::BytesMut::new();
            let mut too_large = false;
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|e| Error::CutOff(e.to_string()))?;
                too_large |= body.len() + chunk.len() > MAX_JSON;
                if !too_large {
                    body.extend_from_slice(&chunk);
                }
            }
            match () {
                _ if too_large => Err(Error::TooLarge { limit_mb: 1 }),
                _ if coding => Err(Error::Invalid("the body must not be compressed".into())),
                _ if mime.starts_with("multipart/") => Err(Error::Invalid("the body must be JSON".into())),
                _ => read(&body).map(Json),
            }
        }
        .boxed_local()
    }
}

/// Reads JSON; the error names the field as a path (`scan_rules[1].name`).
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let why = e.into_inner();
        // serde's own place (line 1 column 2) helps no one who did not write the JSON by hand.
        let text = why.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        match path.as_str() {
            _ if why.is_syntax() || why.is_eof() => Error::Invalid(format!("the body is not JSON: {text}")),
            "." => Error::Invalid(text.to_string()),
            field => Error::field(field, text),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Ask {
        file_path: String,
        priority: Option<i64>,
    }

    #[test]
    fn every_complaint_about_a_body_names_the_field() {
        let check = |body: &str, expected: &str| {
            assert_eq!(read::<Ask>(body.as_bytes()).unwrap_err().to_string(), expected);
        };
        check("{}", "missing field `file_path`");
        check(r#"{"file_path": 5}"#, "field file_path: invalid type: integer `5`, expected a string");
        check(
            r#"{"file_path": "a", "priority": "high"}"#,
            r#"field priority: invalid type: string "high", expected i64"#,
        );
        check("{", "the body is not JSON: EOF while parsing an object");
        check("", "the body is not JSON: EOF while parsing a value");
        check("[1]", "field [0]: invalid type: integer `1`, expected a string");
    }

    #[test]
    fn a_query_is_read_leniently() {
        let params = Params::parse("a=x+y&b=%2Fp%C3%A9&c=&encode=False&d=%FF&e");
        assert_eq!(params.text("a"), Some("x y"));
        assert_eq!(params.text("b"), Some("/pé"));
        assert_eq!(params.text("c"), None);
        assert_eq!(params.text("d"), Some("\u{FFFD}"));
        assert_eq!(params.text("nothing"), None);
        assert_eq!(params.switch("encode"), Some(false));
        assert_eq!(params.switch("a"), Some(true));
        assert_eq!(params.switch("e"), None);
    }

    #[test]
    fn a_number_outside_its_range_is_refused_by_name() {
        let params = Params::parse("page=0&size=many&ok=7");
        let check = |name, expected: &str| {
            assert_eq!(params.number(name, 1, 1..=500).unwrap_err().to_string(), expected);
        };
        check("page", "field page: '0' is not a whole number from 1 to 500");
        check("size", "field size: 'many' is not a whole number from 1 to 500");
        assert_eq!(params.number("ok", 1, 1..=500).unwrap(), 7);
        assert_eq!(params.number("absent", 1, 1..=500).unwrap(), 1);
    }
}
