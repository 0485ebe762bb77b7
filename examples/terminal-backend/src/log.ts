/** The log: one line an event, on standard output; what goes wrong, on standard error. */

/** Writes a line. */
export function log(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line that somebody should look at. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A value from outside: it makes no line of its own and is cut at 128 characters. */
export function quoted(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  const plain = String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return plain.length > 128 ? `${plain.slice(0, 128)}...` : plain;
}

/** What an error says, without its stack. */
export function reason(error: unknown): string {
  return quoted(error instanceof Error ? error.message || error.name : String(error));
}

/** What the log says of a command line: the program alone, since arguments and variables may be secrets. */
export function programOf(command: string): string {
  const first = /^\s*([\w./+-]+)(?=\s|[;|&<>)]|$)/.exec(command)?.[1];
  return first === undefined ? "(a line of shell)" : quoted(first);
}
