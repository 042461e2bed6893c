//! The OpenAPI document in the repository is that of the program. Knows no server.

/// `UPDATE_GOLDEN=1 cargo test --test openapi` writes the document anew.
#[test]
fn the_published_document_is_that_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/provider-spec/openapi.yaml");
    let document = transcriptord::http::openapi().to_yaml().unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == document,
        "provider-spec/openapi.yaml is not what the program serves: run `UPDATE_GOLDEN=1 cargo test --test openapi` \
         and look at the difference"
    );
}
