//! Stands before every handler: takes the key out of the path, lets in or turns away, and answers HEAD as GET. Does
//! not decide who may call.

use super::Shared;
use super::access::{Asked, KEY_HEADER, KEY_QUERY, key_in_path};
use super::error::Error;
use super::params::Params;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use actix_web::http::uri::{PathAndQuery, Uri};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, ResponseError};
use futures_util::StreamExt;

/// The middleware. A request that is turned away is read to its end first: see `intake`.
pub async fn guard(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    own_headers(&mut req);
    let key = take_key(&mut req);
    if let Err(refused) = judge(&req, key.as_deref()) {
        let mut body = req.take_payload();
        while let Some(Ok(_)) = body.next().await {}
        // Bazarr takes keys in this body that it does not know for a fault of the provider.
        let silent = req.path() == "/detect-language";
        let answer = if silent { refused.without_body() } else { refused.error_response() };
        return Ok(req.into_response(answer));
    }
    let head = req.method() == Method::HEAD;
    if head {
        // The codec knows which request it was and sends the headers alone.
        req.head_mut().method = Method::GET;
    }
    let answer = next.call(req).await?.map_into_boxed_body();
    // A body of unknown length might never end.
    let endless = head && answer.response().body().size() == BodySize::Stream;
    Ok(if endless { answer.map_body(|_, _| BoxBody::new(())) } else { answer })
}

/// Copies the header values out of the buffer that they were read into.
///
/// The server keeps up to 128 finished requests a thread for later ones, and of an upload that buffer has 128 KB.
fn own_headers(req: &mut ServiceRequest) {
    let headers = req.headers_mut();
    let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
    let own: Vec<_> = headers.iter().filter_map(|(name, value)| Some((name.clone(), copy(value)?))).collect();
    headers.clear();
    for (name, value) in own {
        headers.append(name, value);
    }
}

fn judge(req: &ServiceRequest, in_path: Option<&str>) -> Result<(), Error> {
    let Some(shared) = req.app_data::<Data<Shared>>() else {
        return Err(Error::Internal("the server has no settings".into()));
    };
    let headers = req.headers();
    let query = Params::parse(req.query_string());
    let keys = [in_path, text(headers, KEY_HEADER), query.text(KEY_QUERY)];
    shared.settings.access.judge(&Asked {
        path: req.path(),
        changes: !matches!(*req.method(), Method::GET | Method::HEAD),
        peer: req.peer_addr().map(|peer| peer.ip()),
        forwarded: forwarded(headers),
        host: text(headers, HOST.as_str()),
        origin: text(headers, ORIGIN.as_str()),
        cross_site: text(headers, "Sec-Fetch-Site").is_some_and(|site| site == "cross-site"),
        keys: keys.into_iter().flatten().collect(),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?").trim())
}

/// All lines of `X-Forwarded-For` as one. Its relatives say at least that there is a proxy.
fn forwarded(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers.get_all("X-Forwarded-For").map(|line| line.to_str().unwrap_or("?")).collect();
    let relative = ["Forwarded", "X-Real-IP", "Via"].iter().any(|name| headers.contains_key(*name));
    match lines.is_empty() {
        false => Some(lines.join(",")),
        true => relative.then(String::new),
    }
}

/// Routes `/KEY/asr` as `/asr`: no handler and no message sees the key.
fn take_key(req: &mut ServiceRequest) -> Option<String> {
    let (key, path) = key_in_path(req.path())?;
    let (key, mut target) = (key.to_string(), path.to_string());
    if let Some(query) = req.uri().query() {
        target = format!("{target}?{query}");
    }
    let mut parts = req.uri().clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    let uri = Uri::from_parts(parts).ok()?;
    req.match_info_mut().get_mut().update(&uri);
    req.head_mut().uri = uri;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;

    #[test]
    fn a_request_does_not_hold_the_buffer_it_was_read_into() {
        let buffer = Bytes::from(b"one two three".to_vec());
        let part = |range| HeaderValue::from_maybe_shared(buffer.slice(range)).unwrap();
        let request = TestRequest::default()
            .append_header(("X-Forwarded-For", part(0..3)))
            .append_header(("X-Forwarded-For", part(4..7)))
            .append_header(("X-Api-Key", part(8..13)));
        let mut request = request.to_srv_request();
        assert!(!buffer.is_unique());
        own_headers(&mut request);
        assert!(buffer.is_unique());
        assert_eq!(forwarded(request.headers()).as_deref(), Some("one,two"), "in their order");
        assert_eq!(text(request.headers(), KEY_HEADER), Some("three"));
    }
}
