//! A gzip file of zeros, made by hand: small on the wire, large when unfolded.

/// One repeat of the preceding byte covers this many bytes, the most deflate can say.
const RUN: u32 = 258;

/// A valid gzip stream (RFC 1952) that unfolds to `size` zero bytes, rounded down to one
/// literal and whole runs of 258. About 1/158 of the size.
pub(super) fn of_zeros(size: u32) -> Vec<u8> {
    let runs = size.saturating_sub(1) / RUN;
    let mut bits = Bits(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], 0, 0);
    // One final block with the fixed codes of RFC 1951 §3.2.6.
    bits.push(0b011, 3);
    // Literal 0: 00110000, codes go most significant bit first.
    bits.push(reversed(0b0011_0000, 8), 8);
    for _ in 0..runs {
        // Length 258 is code 285 (11000101), distance 1 is code 0 of five bits.
        bits.push(reversed(0b1100_0101, 8), 8);
        bits.push(0, 5);
    }
    // End of block: code 256, seven zero bits.
    bits.push(0, 7);
    let length = 1 + runs * RUN;
    let mut bytes = bits.finish();
    bytes.extend_from_slice(&crc32_of_zeros(length).to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes
}

/// Bytes filled from the least significant bit up.
struct Bits(Vec<u8>, u32, u32);

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        self.1 |= value << self.2;
        self.2 += count;
        while self.2 >= 8 {
            self.0.push((self.1 & 0xff) as u8);
            self.1 >>= 8;
            self.2 -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.2 > 0 {
            self.0.push((self.1 & 0xff) as u8);
        }
        self.0
    }
}

fn reversed(code: u32, count: u32) -> u32 {
    code.reverse_bits() >> (32 - count)
}

fn crc32_of_zeros(length: u32) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|index| {
        (0..8).fold(index as u32, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    !(0..length).fold(!0, |crc: u32, _| (crc >> 8) ^ table[(crc & 0xff) as usize])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        // CRC-32 of 32 zero bytes, a published vector.
        assert_eq!(crc32_of_zeros(32), 0x190A_55AD);
    }

    #[test]
    fn gzip_itself_unfolds_it() {
        let bomb = of_zeros(2_000_000);
        assert!(bomb.len() < 14_000);
        let mut gzip = Command::new("gzip")
            .args(["-d", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("gzip is part of every Unix");
        let mut input = gzip.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(&bomb));
        let output = gzip.wait_with_output().unwrap();

        writer.join().unwrap().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout.len(), 1 + 7751 * 258);
        assert!(output.stdout.iter().all(|&byte| byte == 0));
    }
}
