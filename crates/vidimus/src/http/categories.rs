//! The kinds of certificates, as the data files describe them.

use super::{
    error::Failure,
    extract::{Json, Path},
};
use crate::app::App;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;
use vidimus_credential::{CategoryId, Format, category::Category};

/// A category in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CategorySummary {
    /// Its name.
    pub id: String,
    /// Its file's version.
    pub version: String,
    /// Its title, in English.
    pub title: String,
    /// The renderings that it allows.
    pub formats: Vec<String>,
}

/// The categories.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryList {
    /// By name.
    pub items: Vec<CategorySummary>,
}

/// A category.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryView {
    /// Name, version, title and renderings.
    #[serde(flatten)]
    pub summary: CategorySummary,
    /// What it is, in English.
    pub description: String,
    /// JSON Schema (draft 2020-12) of the claims.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// The attributes that a verifier may be admitted for.
    pub attributes: Vec<String>,
    /// The tests that a check requires, by rendering.
    #[schema(value_type = Object)]
    pub required_tests: Value,
}

/// List the categories
#[utoipa::path(get, path = "/v1/categories", tag = "categories", responses((status = 200, body = CategoryList)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<CategoryList> {
    Json(CategoryList {
        items: app.categories.iter().map(|category| summary(category)).collect(),
    })
}

/// Read a category
#[utoipa::path(
    get, path = "/v1/categories/{category}", tag = "categories",
    params(("category" = String, Path, description = "Name of the category")),
    responses((status = 200, body = CategoryView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<CategoryId>,
) -> Result<Json<CategoryView>, Failure> {
    let category = app.categories.category(&id).ok_or_else(Failure::not_found)?;
    let tests = |format: &Format| {
        (
            format.name().to_owned(),
            serde_json::json!(category.required_tests(*format)),
        )
    };
    Ok(Json(CategoryView {
        summary: summary(category),
        description: category.texts("en").description.clone(),
        schema: category.schema().clone(),
        attributes: category
            .disclosures()
            .iter()
            .map(|disclosure| disclosure.name.clone())
            .collect(),
        required_tests: Value::Object(category.formats().iter().map(tests).collect()),
    }))
}

fn summary(category: &Category) -> CategorySummary {
    CategorySummary {
        id: category.id().to_string(),
        version: category.version().to_owned(),
        title: category.texts("en").title.clone(),
        formats: category
            .formats()
            .iter()
            .map(|format| format.name().to_owned())
            .collect(),
    }
}
