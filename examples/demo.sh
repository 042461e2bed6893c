#!/usr/bin/env bash
# One subtitle of real speech, asked for exactly as Bazarr's Whisper provider asks: raw PCM in a
# multipart body, over HTTP, from a daemon with an empty data folder. `make demo` builds and fetches
# what this needs first.
#
#   TRANSCRIPTORD  the program (default target/release/transcriptord)
#   MODELS SPEECH  as model.sh and speech.sh left them
#   OUT            where the subtitle goes (default demo-out)
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/transcriptord}
program=${TRANSCRIPTORD:-target/release/transcriptord}
models=${MODELS:-$cache/models}
audio=${SPEECH:-$cache/speech}/en_demo.wav
out=${OUT:-demo-out}

work=$(mktemp -d)
daemon=
end() {
    if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
        wait "$daemon" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap end EXIT
heading() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || heading() { printf '\n%s\n' "$*"; }
fail() {
    echo "make demo: $*" >&2
    echo "make demo: the daemon's log:" >&2
    cat "$work/log" >&2
    exit 1
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
heading "1. The daemon: transcriptord serve --listen 127.0.0.1:$port"
"$program" serve --listen "127.0.0.1:$port" --data-dir "$work/data" \
    --database-url "sqlite://$work/data/transcriptord.db" --models-dir "$models" >"$work/log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
    curl -fsS -o "$work/status" "$url/status" 2>/dev/null && break
    kill -0 "$daemon" 2>/dev/null || fail "the daemon ended at once"
    sleep 0.1
done
[ -s "$work/status" ] || fail "the daemon does not answer at $url/status"
echo "GET /status, what Bazarr's Test button asks: $(cat "$work/status")"

# Bazarr's body: one part, no content type of its own, the whole track as s16le mono 16 kHz without a header.
boundary=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
ffmpeg -nostdin -v error -i "$audio" -f s16le -acodec pcm_s16le -ac 1 -ar 16000 "$work/pcm"
seconds=$(($(stat -c %s "$work/pcm") / 32000))
{
    printf -- '--%s\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"\r\n\r\n' "$boundary"
    cat "$work/pcm"
    printf '\r\n--%s--\r\n' "$boundary"
} >"$work/body"

heading "2. Bazarr's request: POST /asr?task=transcribe&language=en&output=srt&encode=false, $seconds s of speech"
mkdir -p "$out"
curl -sS -D "$work/headers" -o "$out/en_demo.srt" --compressed \
    -A 'Subliminal/2.1' -H 'Accept-Encoding: gzip, deflate' -H 'Expect:' \
    -H "Content-Type: multipart/form-data; boundary=$boundary" --data-binary "@$work/body" \
    -v --trace-time --stderr "$work/trace" -w '%{time_total}' \
    "$url/asr?task=transcribe&language=en&output=srt&encode=false" >"$work/total" || fail "the request failed: $(tail -n 1 "$work/trace")"
total=$(cat "$work/total")
# curl counts the upload in its own time to the first byte; the trace says when the headers came.
first=$(awk '{ split($1, t, ":"); now = t[1] * 3600 + t[2] * 60 + t[3]; if (!start) start = now }
    $2 == "<" && $3 ~ /^HTTP/ { printf "%.3f", now < start ? now - start + 86400 : now - start; exit }' "$work/trace")
tr -d '\r' <"$work/headers" | sed '/^$/d; s/^/    /'
echo "The headers with the job's id came after $first s, the subtitle after $total s."
[ -s "$out/en_demo.srt" ] || fail "the subtitle is empty"

heading "3. The subtitle ($out/en_demo.srt)"
cat "$out/en_demo.srt"
awk -v s="$seconds" -v t="$total" 'BEGIN { printf "%d s of speech in %.1f s, loading the model included: %.1f times as fast as it is spoken\n", s, t, s / t }'

heading "4. The job, as the API tells it: GET /api/jobs/ID"
id=$(tr -d '\r' <"$work/headers" | sed -n 's/^[Xx]-[Jj]ob-[Ii]d: *//p' | head -n 1)
[ -n "$id" ] || fail "the answer has no X-Job-Id header"
curl -fsS "$url/api/jobs/$id" || fail "job $id is not there"
echo

heading "Bazarr"
cat <<END
Start the daemon for good:   $program serve --models-dir $models
In Bazarr, Settings > Providers, add "Whisper":
    Docker endpoint          http://127.0.0.1:9000  (from another machine or a container: serve --listen 0.0.0.0:9000,
                             and what 'transcriptord key' prints)
    Connection timeout       60 or more: it also limits the time that the upload of a film may take
    Transcription timeout    3600
In Settings > Subtitles, lower the minimum scores (series 60, movies 50; versions of 2026: 60 and 33) or switch
the Whisper fall-back on: otherwise Bazarr asks for nothing by itself. README.md says more.
END
