#!/bin/sh
# Speaks the texts of this folder: one sentence a line, an empty line between paragraphs.
# Debian: apt-get install flite sox ffmpeg. The same packages make the same bytes.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # VOICE TEXT WAV: 16 kHz mono, a pause after each sentence and a longer one after each paragraph
    rm -rf "$work/parts"
    mkdir "$work/parts"
    number=1000
    while IFS= read -r sentence; do
        number=$((number + 1))
        if [ -n "$sentence" ]; then
            flite -voice "$1" -t "$sentence" -o "$work/flite.wav"
            sox -R "$work/flite.wav" -r 16000 -c 1 -b 16 "$work/parts/$number.wav" gain -n -10 pad 0 0.4
        else
            sox -R -n -r 16000 -c 1 -b 16 "$work/parts/$number.wav" trim 0 0.8
        fi
    done <"$2"
    sox -R "$work"/parts/*.wav "$3"
}

encode() { # WAV FILE OPTION...: without the date, the serial number and the encoder's name
    wav=$1 file=$2
    shift 2
    ffmpeg -v error -y -i "$wav" "$@" -fflags +bitexact -flags:a +bitexact "$file"
}

speak rms longhand.txt "$work/longhand.wav"
speak rms river.txt "$work/river.wav"
speak kal16 lesson.txt "$work/lesson.wav"
encode "$work/longhand.wav" longhand.flac -c:a flac -compression_level 12
encode "$work/river.wav" river.opus -c:a libopus -b:a 32k
encode "$work/lesson.wav" lesson.flac -c:a flac -compression_level 12
