#!/usr/bin/env bash
# Puts recordings of real people with the words they say into SPEECH, as 16 kHz mono WAV and text.
# They are prompts from Debian's asterisk-core-sounds packages (CC BY-SA 3.0 and CC BY 3.0: Allison
# Smith, June Wallack, Carlo Flora, Maxim Topal), downloaded and unpacked, not installed.
#
#   SPEECH   where they go (default ~/.cache/transcriptord/speech)
set -euo pipefail

speech=${SPEECH:-${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/transcriptord}/speech}
done_mark=$speech/.complete-1
[ ! -e "$done_mark" ] || exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "make speech: the recordings are Debian packages, and there is no apt-get here." >&2
    echo "  Put a 16 kHz mono recording at $speech/en_demo.wav, its words at en_demo.txt, and create $done_mark." >&2
    exit 1
fi

mkdir -p "$speech"
work=$(mktemp -d "$speech/unpack.XXXXXX")
trap 'rm -rf "$work"' EXIT

languages=(en es fr it ru)
packages=()
for language in "${languages[@]}"; do
    packages+=("asterisk-core-sounds-$language" "asterisk-core-sounds-$language-g722")
done

download() { (cd "$work" && apt-get download -qq "${packages[@]}" 2>"$work/apt.log"); }
echo "make speech: fetching recordings of speech (50 MB of Debian packages, unpacked into $speech, not installed)"
if ! download; then
    # A fresh machine has no package lists yet.
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq || true
    download || {
        cat "$work/apt.log" >&2
        echo "make speech: apt-get could not download them: check the network and the package sources." >&2
        exit 1
    }
fi
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root"
done

sounds=$work/root/usr/share/asterisk/sounds
docs=$work/root/usr/share/doc

pcm() { ffmpeg -nostdin -v error -f g722 -i "$1" -f s16le -ar 16000 -ac 1 -; }
wav() { ffmpeg -nostdin -v error -y -f s16le -ar 16000 -ac 1 -i - -bitexact "$1"; }
silence() { head -c "$(($1 * 32))" /dev/zero; } # milliseconds; 32 bytes each
words() { # words LANGUAGE PROMPT: what the prompt says, one line
    gzip -dc "$docs/asterisk-core-sounds-$1/core-sounds-$1.txt.gz" |
        sed -n "s/^$2: *//p" | head -n 1 | tr -s ' \r' ' '
}

# clip NAME LANGUAGE PROMPT...: the prompts joined by 0.7 s of silence
clip() {
    local name=$1 language=$2 folder prompt first=1
    shift 2
    folder=$(echo "$sounds/$language"_*)
    : >"$work/text"
    for prompt in "$@"; do
        [ $first = 1 ] || silence 700
        first=0
        pcm "$folder/$prompt.g722"
        words "$language" "$prompt" >>"$work/text"
    done | wav "$speech/$name.wav"
    paste -sd ' ' "$work/text" >"$speech/$name.txt"
}

clip en_demo en demo-congrats demo-abouttotry demo-moreinfo demo-thanks
clip en_echo en demo-echotest
clip en_thanks en demo-thanks
for language in es fr it; do
    clip "${language}_prompts" "$language" demo-echotest demo-thanks
done
clip ru_prompts ru demo-abouttotry demo-thanks
silence 10000 | wav "$speech/none_silence.wav"
: >"$speech/none_silence.txt"
ffmpeg -nostdin -v error -y -f lavfi -i anoisesrc=color=pink:duration=20:sample_rate=16000:amplitude=0.1:seed=1 \
    -ac 1 -c:a pcm_s16le "$speech/none_noise.wav"
: >"$speech/none_noise.txt"
touch "$done_mark"
