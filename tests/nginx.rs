//! examples/nginx.conf in a real nginx before the real program. Knows nothing of Whisper: without a model jobs wait.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // SIGQUIT and SIGTERM end nginx's workers with it, SIGKILL would leave them behind.
        // SAFETY: kill has no memory effects; the pid is that of our own child, not yet waited for.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        let _ = self.0.wait();
    }
}

/// Debian keeps nginx where the PATH of a user does not lead.
fn nginx() -> Option<&'static str> {
    ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|program| {
        Command::new(program).arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The daemon, when it listens.
fn daemon(dir: &Path) -> (Running, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_transcriptord"))
        // What nginx says of its callers is believed: they are on this machine here, and need no key.
        .env("TRANSCRIPTORD_TRUSTED_PROXIES", "127.0.0.1")
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let running = Running(child);
    let at = loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "the daemon ended");
        if let Some((_, at)) = line.split_once("listens on http://") {
            break at.trim().parse().unwrap();
        }
    };
    // Unread, its log would fill the pipe and hold it up.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    (running, at)
}

/// nginx with the example, on other ports.
fn proxy(program: &str, dir: &Path, daemon: SocketAddr) -> (Running, SocketAddr) {
    let at = free();
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nginx.conf")).unwrap();
    let server = example
        .replace("listen 9080;", &format!("listen {at};"))
        .replace("http://127.0.0.1:9000;", &format!("http://{daemon};"));
    assert!(server.contains(&at.to_string()) && server.contains(&daemon.to_string()));
    let folder = dir.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let whole = format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n"
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, whole).unwrap();
    let child = Command::new(program)
        .args(["-p", &folder.to_string(), "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    while TcpStream::connect(at).is_err() {
        if let Some(status) = running.0.try_wait().unwrap() {
            let log = std::fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            panic!("nginx ended with {status}: {log}");
        }
        std::thread::yield_now();
    }
    (running, at)
}

#[test]
fn behind_nginx_a_large_upload_gets_its_header_and_signs_of_life_at_once() {
    let Some(program) = nginx() else {
        eprintln!("SKIPPED: nginx is not installed (package nginx)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (_daemon, behind) = daemon(dir.path());
    let (_nginx, at) = proxy(program, dir.path(), behind);

    let part = "--x\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"audio\"\r\n\r\n";
    // More than the 1 MB that nginx allows by default.
    let body = [part.as_bytes(), &vec![0; 3 << 20], b"\r\n--x--\r\n"].concat();
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!(
        "POST /asr?task=transcribe&language=en&output=srt&encode=false HTTP/1.1\r\nHost: localhost\r\n\
         Accept-Encoding: gzip, deflate\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();

    // The job never ends, there is no model: all that arrives was passed on by nginx before the end.
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(answer.read_line(&mut head).unwrap() > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("x-job-id:"), "{head}");
    for heard in ["the head of gzip", "a sign of life", "another"] {
        let mut size = String::new();
        answer.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|_| panic!("{heard}: {size:?}"));
        assert!(size > 0, "{heard}: the body ended");
        answer.read_exact(&mut vec![0; size + 2]).unwrap();
    }
}
