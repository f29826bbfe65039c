use std::io::{Cursor, ErrorKind};

use imagesize::{ImageError, ImageType};

use super::{ImageKind, InvalidData};

/// What a picture's header declares. The pixels are never looked at: a small file may declare a picture that takes gigabytes
/// once it is unpacked, and whoever unpacks it to find out has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// The kind, by content.
    pub kind: ImageKind,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

/// There is no header to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageHeaderError {
    /// It is none of the kinds of picture that the product takes, or a broken one.
    #[error("not a picture")]
    NotAPicture,
    /// It may be a picture, but its header ends after what is there.
    #[error("the header goes on")]
    Incomplete,
}

impl ImageHeader {
    /// Reads the header at the beginning of `content`, which may be all of a picture or its first bytes.
    pub fn read(content: &[u8]) -> Result<Self, ImageHeaderError> {
        let kind = ImageKind::sniff(content).ok_or(ImageHeaderError::NotAPicture)?;
        let (width, height) = match kind {
            ImageKind::Jpeg => jpeg_size(content)?,
            ImageKind::Png => size(ImageType::Png, content, 0)?,
            ImageKind::WebP => webp_size(content)?,
        };
        if width == 0 || height == 0 {
            return Err(ImageHeaderError::NotAPicture);
        }
        Ok(Self { kind, width, height })
    }
}

fn size(format: ImageType, content: &[u8], position: u64) -> Result<(usize, usize), ImageHeaderError> {
    let mut reader = Cursor::new(content);
    reader.set_position(position);
    match format.reader_size(&mut reader) {
        Ok(size) => Ok((size.width, size.height)),
        Err(ImageError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(ImageHeaderError::Incomplete)
        }
        Err(_) => Err(ImageHeaderError::NotAPicture),
    }
}

/// The size that a WebP declares.
fn webp_size(content: &[u8]) -> Result<(usize, usize), ImageHeaderError> {
    // Of the first chunk's name the crate looks at the last letter only.
    if content.get(12..16).is_some_and(|name| !matches!(name, b"VP8 " | b"VP8L" | b"VP8X")) {
        return Err(ImageHeaderError::NotAPicture);
    }
    // After the name of the container, which was read already.
    let (width, height) = size(ImageType::Webp, content, 12)?;
    // Of a lossy picture's numbers the first two bits say how to scale it (RFC 6386 §9.1). The crate takes them for its size.
    Ok(match content.get(12..16) {
        Some(b"VP8 ") => (width & 0x3FFF, height & 0x3FFF),
        _ => (width, height),
    })
}

/// The size in a JPEG's frame header, by the markers of ITU-T T.81, annex B.
///
/// Not by the crate: it takes bytes that only fill (B.1.1.2) for a segment, and so can be made to read another header than
/// those who unpack the picture.
fn jpeg_size(content: &[u8]) -> Result<(usize, usize), ImageHeaderError> {
    let byte = |at: usize| content.get(at).copied().ok_or(ImageHeaderError::Incomplete);
    let number = |at: usize| Ok(usize::from(byte(at)?) << 8 | usize::from(byte(at + 1)?));
    let mut at = 2;
    loop {
        if byte(at)? != 0xFF {
            return Err(ImageHeaderError::NotAPicture);
        }
        while byte(at)? == 0xFF {
            at += 1;
        }
        let marker = byte(at)?;
        at += 1;
        match marker {
            // TEM and RSTn stand alone.
            0x01 | 0xD0..=0xD7 => {}
            // SOFn: its length and precision, then the size. C4, C8 and CC are DHT, JPG and DAC.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Ok((number(at + 5)?, number(at + 3)?));
            }
            // Nothing of these comes before it: a zero, SOI, EOI, SOS.
            0x00 | 0xD8..=0xDA => return Err(ImageHeaderError::NotAPicture),
            _ => match number(at)? {
                0 | 1 => return Err(ImageHeaderError::NotAPicture),
                length => at += length,
            },
        }
    }
}

/// Which pictures are worth keeping: what the video vendor refuses is refused here first, before anything is paid.
#[derive(Clone, Copy, Debug)]
pub struct ImageBounds {
    /// Of width and height, in pixels.
    pub min_side: usize,
    /// Of width and height, in pixels.
    pub max_side: usize,
    /// Of the longer side to the shorter.
    pub max_ratio: f64,
}

impl ImageBounds {
    /// Whether a picture with this header is within the bounds; `field` is what the client calls it.
    pub fn check(&self, header: &ImageHeader, field: &str) -> Result<(), InvalidData> {
        let (short, long) = (header.width.min(header.height), header.width.max(header.height));
        let Self { min_side, max_side, max_ratio } = *self;
        let size = format!("{}×{}", header.width, header.height);
        if short < min_side || long > max_side {
            let message = format!(
                "图片尺寸为 {size}，宽和高都必须在 {min_side} 到 {max_side} 像素之间，请调整后重新上传"
            );
            return Err(InvalidData::new(field, message));
        }
        #[expect(clippy::cast_precision_loss, reason = "sides are far below 2^52")]
        if long as f64 > short as f64 * max_ratio {
            let message = format!("图片尺寸为 {size}，长边不能超过短边的 {max_ratio} 倍，请裁剪后重新上传");
            return Err(InvalidData::new(field, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut content = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
        content.extend(width.to_be_bytes());
        content.extend(height.to_be_bytes());
        content
    }

    /// With this much before the frame's header, as a camera's metadata would be.
    fn jpeg(metadata: u16, width: u16, height: u16) -> Vec<u8> {
        let mut content = b"\xFF\xD8\xFF\xE1".to_vec();
        content.extend((metadata + 2).to_be_bytes());
        content.resize(content.len() + usize::from(metadata), 0);
        content.extend(b"\xFF\xC0\x00\x11\x08");
        content.extend(height.to_be_bytes());
        content.extend(width.to_be_bytes());
        content
    }

    fn webp(chunk: &[u8]) -> Vec<u8> {
        [b"RIFF\x20\x00\x00\x00WEBP", chunk].concat()
    }

    fn size(content: &[u8]) -> Result<(usize, usize), ImageHeaderError> {
        ImageHeader::read(content).map(|header| (header.width, header.height))
    }

    #[test]
    fn every_kind_declares_its_size() {
        assert_eq!(size(&png(640, 480)), Ok((640, 480)));
        assert_eq!(size(&png(u32::MAX, 1)), Ok((4_294_967_295, 1)));
        assert_eq!(size(&jpeg(60_000, 4000, 3000)), Ok((4000, 3000)));
        assert_eq!(size(&webp(b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01")), Ok((640, 480)));
        assert_eq!(
            size(&webp(b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x42\xe0\xc1")),
            Ok((640, 480)),
            "to be scaled"
        );
        assert_eq!(size(&webp(b"VP8L\0\0\0\0\x2f\x7f\xc2\x77\x00")), Ok((640, 480)));
        assert_eq!(size(&webp(b"VP8X\0\0\0\0\0\0\0\0\x7f\x02\x00\xdf\x01\x00")), Ok((640, 480)));
    }

    #[test]
    fn a_jpeg_cannot_show_us_another_header_than_others_see() {
        // Whoever takes the second FF for a marker, and what follows for its length, jumps over the true header to another.
        let mut bomb = b"\xFF\xD8\xFF\xFF\xC0\x00\x11\x08\xEA\x60\xEA\x60".to_vec();
        bomb.resize(0xC000 + 4, 0);
        bomb.extend(b"\xFF\xC0\x00\x11\x08\x00\x10\x00\x10");
        assert_eq!(size(&bomb), Ok((60_000, 60_000)));
        // Markers without a length, and filled ones.
        assert_eq!(
            size(b"\xFF\xD8\xFF\x01\xFF\xD0\xFF\xFF\xFF\xC2\x00\x11\x08\x01\xE0\x02\x80"),
            Ok((640, 480))
        );
        // A thumbnail's header is in a segment, and not the picture's.
        let thumbnail = b"\xFF\xD8\xFF\xE1\x00\x0D\xFF\xD8\xFF\xC0\x00\x11\x08\x00\x10\x00\x10";
        assert_eq!(size(&[thumbnail, &jpeg(0, 640, 480)[2..]].concat()), Ok((640, 480)));
        for early in [b"\xFF\xD8\xFF\xD8", b"\xFF\xD8\xFF\xD9", b"\xFF\xD8\xFF\xDA", b"\xFF\xD8\xFF\x00"] {
            assert_eq!(size(&[early, &jpeg(0, 640, 480)[2..]].concat()), Err(ImageHeaderError::NotAPicture));
        }
    }

    #[test]
    fn what_declares_nothing_is_no_picture_or_not_all_of_one() {
        assert_eq!(size(b"GIF89a"), Err(ImageHeaderError::NotAPicture));
        assert_eq!(size(b"\xFF\xD8\xFF\xE0 and so on"), Err(ImageHeaderError::Incomplete));
        assert_eq!(size(b"\xFF\xD8\xFF\xE0\x00\x02 and so on"), Err(ImageHeaderError::NotAPicture));
        assert_eq!(size(&png(0, 480)), Err(ImageHeaderError::NotAPicture));
        assert_eq!(size(&webp(b"ALPH\0\0\0\0")), Err(ImageHeaderError::NotAPicture));
        // Of the chunk's name not only the last letter counts.
        assert_eq!(size(&webp(b"VP6L\0\0\0\0\x2f\x7f\xc2\x77\x00")), Err(ImageHeaderError::NotAPicture));
        for whole in [png(640, 480), jpeg(10, 640, 480)] {
            assert_eq!(size(&whole[..whole.len() - 1]), Err(ImageHeaderError::Incomplete));
        }
    }

    #[test]
    fn bounds_hold_for_both_sides_and_their_ratio() {
        let bounds = ImageBounds { min_side: 300, max_side: 6000, max_ratio: 2.5 };
        let check = |width, height| {
            bounds.check(&ImageHeader { kind: ImageKind::Png, width, height }, "image").is_ok()
        };
        assert!(check(300, 300) && check(6000, 2400) && check(2400, 6000));
        assert!(!check(299, 600) && !check(600, 299) && !check(6001, 6000) && !check(3000, 6001));
        assert!(!check(1001, 400) && !check(400, 1001));
    }
}
