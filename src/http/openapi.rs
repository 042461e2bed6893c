//! The OpenAPI document, gathered from the handlers. Knows nothing of what they do.

use super::{jobs, provider, result, system, workers};
use actix_web::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
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
    for item in document.paths.paths.values_mut() {
        let changes = [&mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        changes.into_iter().flatten().for_each(may_lack_room);
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        operations.into_iter().flatten().for_each(complete);
    }
    document
}

/// Whatever is changed is written down.
fn may_lack_room(operation: &mut Operation) {
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("Detail"))).build();
    let refused = ResponseBuilder::new().content("application/json", json).build();
    let responses = &mut operation.responses.responses;
    responses.entry("507".into()).or_insert_with(|| RefOr::T(refused));
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
