/** The shell's own words between the text: after each command it says how that ended, in an escape sequence that no terminal shows. */

const END = "\u0007";
/** Longer ones are none: a path has at most 4096 bytes. */
const LONGEST = 8192;

/** For bash: what prints a mark of this name. Control characters of the directory would end the sequence. */
export function printMark(name: string): string {
  return String.raw`printf '\033]6973;${name};%s;%s\007' "$wsfix_status" "${"${PWD//[[:cntrl:]]/?}"}"`;
}

/** How a command ended. */
export interface Mark {
  exitCode: number;
  cwd: string;
}

/** Takes the marks out of what comes from the shell. */
export class MarkReader {
  readonly #begin: string;
  #rest = "";

  /** Marks of another name are text: another shell's output may be shown in this one. */
  constructor(name: string) {
    this.#begin = `\u001b]6973;${name};`;
  }

  /** Text and marks, in their order; what may be the beginning of a mark is kept for the next time. */
  read(chunk: string): (string | Mark)[] {
    let text = this.#rest + chunk;
    this.#rest = "";
    const found: (string | Mark)[] = [];
    for (;;) {
      const at = text.indexOf(this.#begin);
      const end = at < 0 ? -1 : text.indexOf(END, at);
      if (at < 0 || (end < 0 && text.length - at > LONGEST)) break;
      if (at > 0) found.push(text.slice(0, at));
      if (end < 0) {
        this.#rest = text.slice(at);
        return found;
      }
      const [, code, cwd] = /^(\d{1,3});(.*)$/s.exec(text.slice(at + this.#begin.length, end)) ?? [];
      if (code !== undefined && cwd !== undefined) found.push({ exitCode: Number(code), cwd });
      text = text.slice(end + 1);
    }
    const kept = this.#begun(text);
    this.#rest = text.slice(text.length - kept);
    if (text.length > kept) found.push(text.slice(0, text.length - kept));
    return found;
  }

  /** How many of the last characters may begin a mark. */
  #begun(text: string): number {
    for (let length = Math.min(this.#begin.length - 1, text.length); length > 0; length -= 1) {
      if (this.#begin.startsWith(text.slice(-length))) return length;
    }
    return 0;
  }
}
