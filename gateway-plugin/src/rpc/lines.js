// Cuts a stream of bytes into lines of text.

const NEWLINE = 0x0a;

/** Gives a function that takes chunks and calls `onLine` with every whole line, without its end. */
export function lineReader(onLine) {
  let parts = [];
  return (chunk) => {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      start = end + 1;
      onLine(line.endsWith("\r") ? line.slice(0, -1) : line);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  };
}
