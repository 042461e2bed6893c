#!/usr/bin/env python3
"""Writes the Silero voice detector as a ggml file. Knows nothing of audio or of transcriptord.

    make_weights.py SILERO_VAD.whl|silero_vad_16k.safetensors [OUT.bin]

The wheel is the PyPI package `silero-vad` (MIT, see SILERO-LICENSE). Standard library only.
"""

import hashlib
import json
import struct
import sys
import zipfile
from pathlib import Path

INSIDE_WHEEL = "silero_vad/data/silero_vad_16k.safetensors"
EXPECTED_SHA256 = "ca3eb9c9a458d95dc7cf0c720f142ec52e513490b12c3f53c4a2df9c3ce13f56"

F32, F16 = 0, 1
WINDOW, CONTEXT = 512, 64
# Input channels, output channels, kernel of each convolution of the encoder.
ENCODER = [(129, 128, 3), (128, 64, 3), (64, 64, 3), (64, 128, 3)]
LSTM = 128

# Name in the safetensors file, name in the ggml file, shape (outermost first), type.
TENSORS = [("stft_conv.weight", "_model.stft.forward_basis_buffer", (258, 1, 256), F16)]
for i, (channels_in, channels_out, kernel) in enumerate(ENCODER):
    to = f"_model.encoder.{i}.reparam_conv"
    TENSORS.append((f"conv{i + 1}.weight", f"{to}.weight", (channels_out, channels_in, kernel), F16))
    TENSORS.append((f"conv{i + 1}.bias", f"{to}.bias", (channels_out,), F32))
for part, shape in [("weight_ih", (4 * LSTM, LSTM)), ("weight_hh", (4 * LSTM, LSTM)),
                    ("bias_ih", (4 * LSTM,)), ("bias_hh", (4 * LSTM,))]:
    TENSORS.append((f"lstm_cell.{part}", f"_model.decoder.rnn.{part}", shape, F32))
TENSORS.append(("final_conv.weight", "_model.decoder.decoder.2.weight", (1, LSTM), F16))
TENSORS.append(("final_conv.bias", "_model.decoder.decoder.2.bias", (1,), F32))


def read_source(path):
    """The bytes of the safetensors file, from itself or out of the wheel."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(INSIDE_WHEEL)
    return Path(path).read_bytes()


def read_safetensors(data):
    """A dictionary of name -> (shape, list of floats)."""
    (length,) = struct.unpack_from("<Q", data)
    body = memoryview(data)[8 + length:]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            sys.exit(f"{name}: {entry['dtype']} where F32 was expected: not the silero-vad file meant here")
        start, end = entry["data_offsets"]
        tensors[name] = (tuple(entry["shape"]), struct.unpack(f"<{(end - start) // 4}f", body[start:end]))
    return tensors


def ggml(tensors):
    """The bytes of the ggml file."""
    name = b"silero-16k"
    out = [struct.pack("<Ii", 0x67676D6C, len(name)), name]
    out.append(struct.pack("<3i", 6, 2, 3))
    out.append(struct.pack("<2i", WINDOW, CONTEXT))
    out.append(struct.pack("<i", len(ENCODER)))
    out += [struct.pack("<3i", *layer) for layer in ENCODER]
    out.append(struct.pack("<4i", LSTM, LSTM, LSTM, 1))
    for source, target, shape, kind in TENSORS:
        if source not in tensors:
            sys.exit(f"{source} is missing: not the silero-vad file meant here")
        found, values = tensors[source]
        # The last convolution has a kernel of one, which ggml leaves out.
        if found != shape and found != shape + (1,):
            sys.exit(f"{source} has shape {found}, not {shape}")
        out.append(struct.pack("<3i", len(shape), len(target), kind))
        out.append(struct.pack(f"<{len(shape)}i", *reversed(shape)))
        out.append(target.encode("ascii"))
        out.append(struct.pack(f"<{len(values)}{'e' if kind == F16 else 'f'}", *values))
    return b"".join(out)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).with_name("silero-v6-16k.bin")
    data = ggml(read_safetensors(read_source(sys.argv[1])))
    digest = hashlib.sha256(data).hexdigest()
    if digest != EXPECTED_SHA256:
        sys.exit(f"SHA-256 {digest}, {EXPECTED_SHA256} was expected: nothing written")
    out.write_bytes(data)
    print(f"{out}: {len(data)} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()
