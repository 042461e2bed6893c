//! `transcriptord job`: the queue of a running daemon, over its REST API. Knows nothing of its database.

mod client;
mod text;
mod wait;

use super::{Failure, print};
use argh::FromArgs;
use client::{Added, Client};
use serde_json::json;
use std::path::PathBuf;

const SERVER: &str = "http://127.0.0.1:9000";

/// Look at the jobs of a running daemon, add and end them.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "job",
    example = "{command_name} list\n\
        {command_name} add --language de --wait /media/films/film.mkv\n\
        {command_name} cancel 0198c0de-7000-7000-8000-0000000000aa"
)]
pub struct Command {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    List(List),
    Show(Show),
    Add(Add),
    Cancel(Cancel),
    Retry(Retry),
    Wait(Wait),
}

/// List jobs, newest first.
#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
struct List {
    /// only these: queued, processing, completed, failed or cancelled
    #[argh(option, arg_name = "status")]
    status: Option<String>,
    /// how many (default 20, at most 500)
    #[argh(option, default = "20", arg_name = "n")]
    limit: u32,
    /// which page of them (default 1)
    #[argh(option, default = "1", arg_name = "n")]
    page: u32,
    /// print what the API answers
    #[argh(switch)]
    json: bool,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

/// Show everything about one job.
#[derive(FromArgs)]
#[argh(subcommand, name = "show")]
struct Show {
    /// the job
    #[argh(positional)]
    id: String,
    /// print what the API answers
    #[argh(switch)]
    json: bool,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

/// Ask for subtitles of media files; prints one job id a line.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "add",
    example = "{command_name} --language de /media/films/film.mkv\n\
        {command_name} --task translate --wait /media/films/film.mkv",
    note = "The files must lie in a library folder of the daemon. When the same work is queued or done already, its \
        job is named."
)]
struct Add {
    /// video or audio files, as the daemon's machine names them
    #[argh(positional, arg_name = "file")]
    files: Vec<PathBuf>,
    /// the language spoken: a code or an English name (default: found out, where --to or --task translate is there)
    #[argh(option, arg_name = "language")]
    language: Option<String>,
    /// the language of the subtitle (default: that of --language, or English when translating)
    #[argh(option, arg_name = "language")]
    to: Option<String>,
    /// what to write: what is said ('transcribe') or that in English ('translate') (default transcribe)
    #[argh(option, default = "String::from(\"transcribe\")", arg_name = "task")]
    task: String,
    /// fast, balanced or best (default: what the daemon is set to)
    #[argh(option, arg_name = "preset")]
    quality: Option<String>,
    /// higher comes first (default 0)
    #[argh(option, default = "0", arg_name = "n")]
    priority: i64,
    /// wait until they have ended
    #[argh(switch)]
    wait: bool,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

/// End jobs that wait or run.
#[derive(FromArgs)]
#[argh(subcommand, name = "cancel")]
struct Cancel {
    /// the jobs
    #[argh(positional, arg_name = "id")]
    ids: Vec<String>,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

/// Queue jobs again that failed or were cancelled.
#[derive(FromArgs)]
#[argh(subcommand, name = "retry")]
struct Retry {
    /// the jobs
    #[argh(positional, arg_name = "id")]
    ids: Vec<String>,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

/// Wait until jobs have ended; fails when one did not complete.
#[derive(FromArgs)]
#[argh(subcommand, name = "wait")]
struct Wait {
    /// the jobs
    #[argh(positional, arg_name = "id")]
    ids: Vec<String>,
    /// the daemon (default http://127.0.0.1:9000)
    #[argh(option, default = "SERVER.to_string()", arg_name = "url")]
    server: String,
}

impl Command {
    /// Fails when the daemon cannot be reached or refuses; its sentence is passed on.
    pub fn run(self) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(),
            What::Show(show) => show.run(),
            What::Add(add) => add.run(),
            What::Cancel(Cancel { ids, server }) => {
                let client = Client::new(&server)?;
                each(&ids, |id| {
                    client.post(&format!("/api/jobs/{id}/cancel"))?;
                    print(&format!("{id} cancelled\n"))
                })
            }
            What::Retry(Retry { ids, server }) => {
                let client = Client::new(&server)?;
                each(&ids, |id| {
                    client.post(&format!("/api/jobs/{id}/retry"))?;
                    print(&format!("{id} queued again\n"))
                })
            }
            What::Wait(Wait { ids, server }) => {
                let client = Client::new(&server)?;
                each(&ids, |id| wait::until_ended(&client, id))
            }
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let mut path = format!("/api/jobs?page={}&page_size={}", self.page, self.limit);
        if let Some(status) = &self.status {
            let status: crate::job::JobState = status.parse().map_err(Failure::Usage)?;
            path += &format!("&status_filter={status}");
        }
        let answer = Client::new(&self.server)?.get(&path)?;
        if self.json {
            return print(&format!("{answer}\n"));
        }
        print(&text::table(&client::shaped(answer)?))
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let answer = Client::new(&self.server)?.get(&format!("/api/jobs/{}", id(&self.id)?))?;
        print(&if self.json { format!("{answer}\n") } else { text::all(&answer) })
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        if self.files.is_empty() {
            return Err(Failure::Usage("name at least one media file".to_string()));
        }
        let english = (self.task == "translate").then(|| "en".to_string());
        let Some(target) = self.to.or(english).or(self.language.clone()) else {
            let text = "say which language is spoken (--language de) or wanted (--to de)";
            return Err(Failure::Usage(text.to_string()));
        };
        let client = Client::new(&self.server)?;
        let mut ids = Vec::new();
        for file in &self.files {
            let path =
                std::path::absolute(file).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
            let mut ask = json!({
                "file_path": path,
                "file_name": path.file_name().map(|name| name.to_string_lossy()),
                "source_lang": self.language,
                "target_lang": target,
                "transcribe_or_translate": self.task,
                "priority": self.priority,
                "is_manual_request": true,
            });
            if let Some(quality) = &self.quality {
                ask["quality_preset"] = json!(quality);
            }
            let id = match client.add(&ask)? {
                Added::New(id) => id,
                Added::AlreadyThere { id, why } => {
                    eprintln!("transcriptord: {why}");
                    id
                }
            };
            print(&format!("{id}\n"))?;
            ids.push(id);
        }
        if self.wait { each(&ids, |id| wait::until_ended(&client, id)) } else { Ok(()) }
    }
}

/// Does it for every id, also after one has failed; each failure is told as it happens.
fn each(ids: &[String], mut one: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    if ids.is_empty() {
        return Err(Failure::Usage("name at least one job: 'transcriptord job list' shows them".to_string()));
    }
    let mut outcome = Ok(());
    for given in ids {
        match id(given).and_then(&mut one) {
            Ok(()) => {}
            Err(Failure::Failed(why)) => {
                eprintln!("transcriptord: {why}");
                outcome = Err(Failure::Told);
            }
            Err(other) => return Err(other),
        }
    }
    outcome
}

/// An id as it may stand in a URL.
fn id(given: &str) -> Result<&str, Failure> {
    match given.parse::<crate::job::JobId>() {
        Ok(_) => Ok(given),
        Err(_) => {
            Err(Failure::Usage(format!("'{given}' is not a job id: 'transcriptord job list' shows them")))
        }
    }
}
