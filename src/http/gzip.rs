//! A gzip stream that can be kept alive: bytes that decode to nothing until the text is there. Knows nothing
//! of HTTP or of what it waits for. (RFC 1952, RFC 1951 section 3.2.4; bazarr-protocol.md, section 6.)

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// The beginning of each gzip file: deflate, no name, no time, unknown system.
pub const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

/// An empty stored block that is not the last one: it decodes to nothing and ends on a byte.
pub const NOTHING: [u8; 5] = [0, 0, 0, 0xFF, 0xFF];

/// All that follows the header and any number of `NOTHING`s: the text, its CRC-32 and its length.
pub fn end(text: &[u8]) -> Vec<u8> {
    const IN_MEMORY: &str = "a vector takes every write";
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(text).expect(IN_MEMORY);
    let mut stream = deflate.finish().expect(IN_MEMORY);
    let mut crc = Crc::new();
    crc.update(text);
    stream.extend_from_slice(&crc.sum().to_le_bytes());
    stream.extend_from_slice(&crc.amount().to_le_bytes());
    stream
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn heartbeats_decode_to_nothing_before_any_text() {
        let long = "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n".repeat(5000);
        for text in ["", "short", long.as_str()] {
            for beats in [0, 1, 50] {
                let mut stream = HEADER.to_vec();
                stream.extend(NOTHING.repeat(beats));
                stream.extend(end(text.as_bytes()));
                let mut decoded = String::new();
                let mut decoder = flate2::read::GzDecoder::new(stream.as_slice());
                decoder.read_to_string(&mut decoded).unwrap();
                assert_eq!(decoded, text, "{beats} heartbeats");
            }
        }
    }
}
