//! The kind and the size of a picture: what its first bytes have settled, no further byte changes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::model::{ImageBounds, ImageHeader, ImageHeaderError, ImageKind};

fuzz_target!(|content: &[u8]| {
    let kind = ImageKind::sniff(content);
    let whole = ImageHeader::read(content);
    match whole {
        Ok(header) => {
            assert_eq!(Some(header.kind), kind);
            assert!(header.width > 0 && header.height > 0);
            let bounds = ImageBounds { min_side: 300, max_side: 8192, max_ratio: 2.5 };
            let is_within = header.width.min(header.height) >= 300 && header.width.max(header.height) <= 8192;
            assert!(is_within || bounds.check(&header, "image").is_err());
            assert_eq!(size(content, header.kind), Some((header.width, header.height)));
        }
        Err(ImageHeaderError::NotAPicture) => {}
        Err(ImageHeaderError::Incomplete) => assert!(kind.is_some()),
    }
    // Every cut where the beginning is, which decides; some of the others.
    let cuts = (0..content.len()).filter(|cut| *cut < 64 || cut % 61 == 0);
    for cut in cuts {
        let part = &content[..cut];
        let sniffed = ImageKind::sniff(part);
        assert!(sniffed.is_none() || sniffed == kind, "cut at {cut}");
        match ImageHeader::read(part) {
            Ok(header) => assert_eq!(Ok(header), whole, "cut at {cut}"),
            Err(ImageHeaderError::NotAPicture) if sniffed.is_some() => {
                assert_eq!(whole, Err(ImageHeaderError::NotAPicture), "cut at {cut}");
            }
            Err(_) => {}
        }
    }
});

/// Where the size stands at a fixed place: PNG's IHDR, and the three kinds of WebP.
fn size(content: &[u8], kind: ImageKind) -> Option<(usize, usize)> {
    let byte = |at: usize| content.get(at).copied().map(usize::from);
    let little =
        |at: usize, bytes: usize| (0..bytes).rev().try_fold(0, |sum, i| Some(sum << 8 | byte(at + i)?));
    let big = |at: usize, bytes: usize| (0..bytes).try_fold(0, |sum, i| Some(sum << 8 | byte(at + i)?));
    match kind {
        ImageKind::Png => Some((big(16, 4)?, big(20, 4)?)),
        ImageKind::WebP => match content.get(12..16)? {
            b"VP8 " => Some((little(26, 2)? & 0x3FFF, little(28, 2)? & 0x3FFF)),
            b"VP8L" => Some(((little(21, 4)? & 0x3FFF) + 1, (little(21, 4)? >> 14 & 0x3FFF) + 1)),
            _ => Some((little(24, 3)? + 1, little(27, 3)? + 1)),
        },
        ImageKind::Jpeg => jpeg_size(content),
    }
}

/// By walking over the segments, from SOI to the frame's header.
fn jpeg_size(content: &[u8]) -> Option<(usize, usize)> {
    let mut rest = content.get(2..)?;
    loop {
        let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
        let (marker, segment) = rest.get(fill..)?.split_first()?;
        let number =
            |at: usize| Some(usize::from(*segment.get(at)?) * 256 + usize::from(*segment.get(at + 1)?));
        rest = match marker {
            0xC4 | 0xC8 | 0xCC => segment.get(number(0)?..)?,
            0xC0..=0xCF => return Some((number(5)?, number(3)?)),
            0x01 | 0xD0..=0xD7 => segment,
            _ => segment.get(number(0)?..)?,
        };
    }
}
