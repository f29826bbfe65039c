// Pictures to upload, made here: a PNG of one colour, as large in bytes as wanted.

import { crc32, deflateSync } from "node:zlib";

/** @param {string} name @param {Buffer} data */
function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const length = Buffer.alloc(4);
  const check = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/**
 * @param {{ width?: number, height?: number, colour?: [number, number, number], bytes?: number }} [options] `bytes`: at least
 */
export function png({ width = 640, height = 360, colour = [70, 110, 190], bytes = 0 } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const [red, green, blue] = colour;
  const rows = Array.from({ length: height }, (_, y) => {
    const row = Buffer.alloc(1 + width * 3);
    const light = 0.5 + y / height / 2;
    for (let x = 0; x < width; x += 1) row.set([red * light, green * light, (blue * (x + width)) / (2 * width)], 1 + x * 3);
    return row;
  });
  const parts = [Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.concat(rows)))];
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  // An ancillary chunk that every reader skips.
  if (bytes > size) parts.push(chunk("fiLl", Buffer.alloc(bytes - size)));
  return Buffer.concat([...parts, chunk("IEND", Buffer.alloc(0))]);
}
