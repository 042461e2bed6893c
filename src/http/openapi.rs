//! The OpenAPI document, gathered from the handlers. Knows nothing of what they do.

use super::access::{KEY_HEADER, KEY_QUERY, OPEN};
use super::{jobs, provider, result, system, workers};
use actix_web::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

#[derive(OpenApi)]
#[openapi(
    info(description = "A Bazarr-compatible subtitle provider daemon. Every path also answers with a trailing slash. \
                        Errors are `{\"detail\": \"one clear sentence\"}`."),
    paths(
        provider::asr,
        provider::detect_language,
        provider::status,
        system::home,
        system::health,
        system::status,
        system::pause,
        system::resume,
        system::document,
        jobs::list,
        jobs::stats,
        jobs::get,
        jobs::create,
        jobs::retry,
        jobs::cancel,
        jobs::remove,
        jobs::change,
        jobs::clear,
        jobs::subtitle,
        jobs::report,
        result::odds,
        workers::list,
        workers::stats,
        workers::get,
    ),
    tags(
        (name = "provider", description = "What Bazarr and other whisper-asr-webservice clients call"),
        (name = "jobs", description = "The queue"),
        (name = "workers", description = "Who works on it"),
        (name = "system", description = "How the daemon is"),
    )
)]
struct Document;

/// The description of every endpoint that exists (OpenAPI 3.1).
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    for (path, item) in &mut document.paths.paths {
        let changes = [&mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in changes.into_iter().flatten() {
            refuses(operation, StatusCode::FORBIDDEN);
            // Whatever is changed is written down.
            refuses(operation, StatusCode::INSUFFICIENT_STORAGE);
        }
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            match OPEN.contains(&path.as_str()) {
                true => operation.security = Some(Vec::new()),
                false => refuses(operation, StatusCode::UNAUTHORIZED),
            }
            complete(operation);
        }
    }
    lock(&mut document);
    document
}

/// Says how the key is sent. What needs none says so itself.
fn lock(document: &mut utoipa::openapi::OpenApi) {
    let who = "Callers on the daemon's own machine need no key, unless auth_required is always; with never, nobody does.";
    let path = "Clients that can send neither header nor query put it before the path: /KEY/asr, /KEY/detect-language.";
    let header = ApiKey::Header(ApiKeyValue::with_description(KEY_HEADER, &format!("{who} {path}")));
    let query = ApiKey::Query(ApiKeyValue::with_description(KEY_QUERY, who));
    let components = document.components.get_or_insert_default();
    let schemes = [("key_in_header", header), ("key_in_query", query)];
    // One of them is enough.
    document.security = Some(schemes.iter().map(|(name, _)| needs(name)).collect());
    for (name, key) in schemes {
        components.add_security_scheme(name, SecurityScheme::ApiKey(key));
    }
}

fn needs(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, [""; 0])
}

/// Adds an answer that every operation of its kind may give.
fn refuses(operation: &mut Operation, status: StatusCode) {
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("Detail"))).build();
    let refused = ResponseBuilder::new().content("application/json", json).build();
    let responses = &mut operation.responses.responses;
    responses.entry(status.as_str().into()).or_insert_with(|| RefOr::T(refused));
}

/// Two handlers may have the same name, two operations must not; and each response must be described.
fn complete(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
    for (status, response) in &mut operation.responses.responses {
        let status = status.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok());
        if let (RefOr::T(response), Some(status)) = (response, status)
            && response.description.is_empty()
        {
            response.description = status.canonical_reason().unwrap_or_default().to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn what_needs_no_key_says_so_and_all_else_may_answer_401() {
        let document = serde_json::to_value(super::openapi()).unwrap();
        assert_eq!(document["security"], serde_json::json!([{"key_in_header": []}, {"key_in_query": []}]));
        let schemes = &document["components"]["securitySchemes"];
        assert_eq!(
            (&schemes["key_in_header"]["name"], &schemes["key_in_query"]["name"]),
            (&"X-Api-Key".into(), &"apikey".into())
        );
        let mut open = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                if operation["security"].as_array().is_some_and(|needed| needed.is_empty()) {
                    open.push(path.as_str());
                } else {
                    assert!(operation["responses"]["401"].is_object(), "{path}");
                }
            }
        }
        assert_eq!(open, ["/", "/health", "/status"]);
    }

    #[test]
    fn no_two_operations_have_the_same_id() {
        let document = serde_json::to_value(super::openapi()).unwrap();
        let mut ids = HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_string()), "{method} {path} is called {id} too");
            }
        }
        assert!(ids.len() > 20);
    }
}
