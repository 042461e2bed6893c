"""One run of faster-whisper as a whole process, in its own virtual environment. Run by speed.py.

  peer.py MODEL_FOLDER AUDIO default|batched LANGUAGE cpu|cuda     prints the text

`default` is what SubGen's and whisper-asr-webservice's users run: beam 5, voice detector, word times.
`batched` is its fastest: 8 windows at once, beam 1, with time stamps. On CPU int8 and 2 threads, on a GPU float16.
"""
import sys

from faster_whisper import BatchedInferencePipeline, WhisperModel

folder, audio, mode, language, device = sys.argv[1:]
numbers = "int8" if device == "cpu" else "float16"
model = WhisperModel(folder, device=device, compute_type=numbers, cpu_threads=2, local_files_only=True)
if mode == "batched":
    segments, _ = BatchedInferencePipeline(model).transcribe(
        audio, language=language, batch_size=8, beam_size=1, without_timestamps=False)
else:
    segments, _ = model.transcribe(audio, language=language, beam_size=5, vad_filter=True, word_timestamps=True)
for segment in segments:
    print(segment.text.strip())
