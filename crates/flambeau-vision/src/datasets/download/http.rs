//! One transfer over HTTP, and how it is shown.

use super::{CHUNK, Options, Part};
use crate::error::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Read, Write};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

/// One request: appends what `url` has from byte `from` on to `part`, or all of it where the server sends all.
pub(super) fn transfer(url: &str, from: u64, part: &mut Part, options: &Options) -> Result<()> {
    let failed = |what: String| Error::Download { url: url.to_owned(), what };
    let mut request = agent(url, options).get(url);
    if from > 0 {
        request = request.header(header::RANGE, format!("bytes={from}-"));
    }
    let response = request.call().map_err(|e| failed(e.to_string()))?;
    let start = match response.status() {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT if content_range_start(&response) == Some(from) => from,
        StatusCode::PARTIAL_CONTENT => {
            part.cut(0)?;
            return Err(failed(format!("the server sent another range than the one from byte {from} on")));
        }
        // Nothing after `from`: the partial file is complete or wrong, which its checksum tells.
        StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => return Ok(()),
        status => return Err(failed(format!("HTTP status {status}"))),
    };
    part.cut(start)?;
    let promised = response.body().content_length();
    let progress = Progress::start(url, start, promised.map(|n| n + start), options.progress);
    let mut body = response.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    let mut received = 0;
    loop {
        match body.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => {
                part.file.write_all(&chunk[..n]).map_err(|e| Error::io(&part.path, e))?;
                received += n as u64;
                progress.advance(n);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(format!("broke off after {received} bytes: {e}"))),
        }
    }
    match promised {
        Some(n) if n != received => Err(failed(format!("broke off after {received} of {n} bytes"))),
        _ => Ok(()),
    }
}

fn agent(url: &str, options: &Options) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_per_read(Some(options.read_timeout))
        .user_agent(concat!("flambeau/", env!("CARGO_PKG_VERSION")))
        // The checksum is that of the stored bytes: no transport compression on top.
        .accept_encoding("identity");
    // A proxy from the environment cannot reach this machine's own servers.
    let local = url.starts_with("http://127.0.0.1") || url.starts_with("http://localhost");
    if local { config.proxy(None) } else { config }.build().new_agent()
}

/// `N` of the header `Content-Range: bytes N-M/TOTAL`.
fn content_range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// A bar on a terminal; in a pipe one line, since a bar would fill a log.
struct Progress(ProgressBar);

impl Progress {
    fn start(url: &str, position: u64, length: Option<u64>, visible: bool) -> Self {
        if !visible {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            eprintln!("Downloading {url}");
        } else {
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}");
            bar.set_style(style.expect("a valid template").progress_chars("=> "));
            bar.set_message(url.to_owned());
            bar.set_position(position);
        }
        Self(bar)
    }

    fn advance(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
