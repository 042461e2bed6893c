//! Jobs as text for people. Knows nothing of HTTP.

use super::client::{Job, Page};
use serde_json::Value;

/// One line a job, columns aligned.
pub fn table(page: &Page) -> String {
    if page.jobs.is_empty() {
        return "no jobs\n".to_string();
    }
    let mut text = format!("{:36}  {:10}  {:>5}  {:7}  FILE\n", "ID", "STATUS", "DONE", "LANG");
    for job in &page.jobs {
        let spoken = job.source_lang.as_deref().unwrap_or("?");
        // Where no language was wanted it is written as it is spoken.
        let english = job.transcribe_or_translate.as_deref() == Some("translate");
        let wanted = job.target_lang.as_deref().or(english.then_some("en")).unwrap_or(spoken);
        let language = if wanted == spoken { spoken.to_owned() } else { format!("{spoken}>{wanted}") };
        let done = format!("{:.0} %", job.progress);
        text += &format!("{:36}  {:10}  {done:>5}  {language:7}  {}\n", job.id, job.status, name(job));
    }
    let shown = page.jobs.len() as u64;
    if shown < page.total {
        text += &format!("{shown} of {} jobs\n", page.total);
    }
    text
}

/// The best name a job has.
pub fn name(job: &Job) -> &str {
    let named = [&job.file_name, &job.file_path].into_iter().flatten().find(|name| !name.is_empty());
    named.map_or(job.id.as_str(), String::as_str)
}

/// Every field that says something, one a line.
pub fn all(job: &Value) -> String {
    let Some(fields) = job.as_object() else { return format!("{job}\n") };
    let wide = fields.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value) in fields {
        let value = match value {
            Value::Null => continue,
            Value::String(value) if value.is_empty() => continue,
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        text += &format!("{key:wide$}  {value}\n");
    }
    text
}

/// `1:02:03`, `2:03`.
pub fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{all, clock, table};
    use crate::cli::job::client::{Job, Page};

    #[test]
    fn a_list_has_one_line_a_job_and_says_when_there_are_more() {
        let job = Job {
            id: "0198c0de-7000-7000-8000-0000000000aa".into(),
            file_name: Some("film.mkv".into()),
            status: "processing".into(),
            source_lang: Some("ja".into()),
            target_lang: Some("en".into()),
            progress: 41.6,
            ..Job::default()
        };
        let mut page = Page { jobs: vec![job], total: 3 };
        let expected = "ID                                    STATUS       DONE  LANG     FILE\n\
            0198c0de-7000-7000-8000-0000000000aa  processing   42 %  ja>en    film.mkv\n\
            1 of 3 jobs\n";
        assert_eq!(table(&page), expected);
        page.jobs[0].target_lang = None;
        assert_eq!(table(&page), expected.replace("ja>en", "ja   "), "written as it is spoken");
        page.jobs[0].transcribe_or_translate = Some("translate".into());
        assert_eq!(table(&page), expected);
        assert_eq!(table(&Page { jobs: vec![], total: 0 }), "no jobs\n");
    }

    #[test]
    fn a_job_is_shown_without_what_is_not_known() {
        let job = serde_json::json!({"id": "x", "error": null, "progress": 50.0, "file_name": ""});
        assert_eq!(all(&job), "id         x\nprogress   50.0\n");
    }

    #[test]
    fn times_read_as_on_a_clock() {
        assert_eq!(clock(3.4), "0:03");
        assert_eq!(clock(123.0), "2:03");
        assert_eq!(clock(3723.0), "1:02:03");
    }
}
