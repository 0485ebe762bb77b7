/**
 * Where a shell runs and what it may use: a home of its own, an environment without anything of this process, limits, and no privileges.
 *
 * Started as root, every shell gets a user id of its own, so that it can neither read nor end anything else. Started as anybody else, a shell
 * is that user too: the README says what that means.
 */

import { randomBytes, randomInt } from "node:crypto";
import { chownSync, mkdirSync, mkdtempSync, chmodSync, rmSync, writeFileSync, accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reason, warn } from "../log.js";
import { endProcesses, hasProcesses, threadsOf } from "./processes.js";
import { printMark } from "./marker.js";

/** User ids that belong to nobody: systemd gives them to services for as long as they run. */
const USERS = { first: 61_184, behind: 65_520 };

/** For each process of a shell, except `processes`, which is for all of them. */
const LIMITS = { cpuSeconds: 120, memoryKb: 2 * 1024 * 1024, fileKb: 100 * 1024, files: 256, processes: 64 };
/** Processes that a user who is not the shell's alone may start beside those that are there already. */
const SPARE = 512;

/** A user id and a group id. */
interface User {
  uid: number;
  gid: number;
}

/** The place of one shell. */
export interface Place {
  /** Nobody else's. */
  name: string;
  home: string;
  /** What bash reads first. */
  startFile: string;
  environment: Record<string, string>;
  /** The user to become; null: who this process is. */
  user: User | null;
  /** Puts a command line where the shell finds it, and says in which file. */
  writeCommand(text: string): string;
  /** Ends every process that was started here. */
  endAll(): Promise<void>;
  /** Ends every process that was started here, and removes all files. */
  clear(): Promise<void>;
}

export class Confinement {
  readonly #isRoot = process.getuid?.() === 0;
  /** Only the shell's own folder can be entered by its user: the names in here are not to be listed. */
  readonly #folder = mkdtempSync(join(tmpdir(), "terminals-"));

  constructor() {
    chmodSync(this.#folder, 0o711);
  }

  /** What a person should know about how well shells are kept apart from this process; null: as well as can be. */
  get warning(): string | null {
    if (this.#isRoot) return null;
    if (process.platform === "linux" && !isReadable(process.execPath)) return null;
    return "terminals run as the user of this process, who can read its memory and the files of that user: see \"What exposing a shell means\" in the README";
  }

  /** Makes a place. */
  place(): Place {
    const name = randomBytes(6).toString("hex");
    const user = this.#isRoot ? freeUser() : null;
    const folder = join(this.#folder, name);
    const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
    // The user may write to nothing but these two: whoever could replace a file that root writes could have any file written.
    mkdirSync(folder, { mode: 0o755 });
    for (const own of [home, temporary]) {
      mkdirSync(own, { mode: 0o700 });
      if (user !== null) chownSync(own, user.uid, user.gid);
    }
    const write = (to: string, text: string) => {
      const file = join(folder, to);
      writeFileSync(file, text, { mode: 0o640 });
      if (user !== null) chownSync(file, 0, user.gid);
      return file;
    };
    const whose = user ?? { mark: name };
    const processes = user === null ? threadsOf(process.getuid?.()) + SPARE : LIMITS.processes;
    return {
      name,
      home,
      startFile: write("start", startFile(name, processes)),
      environment: {
        HOME: home,
        LANG: "C.UTF-8",
        PATH: "/usr/local/bin:/usr/bin:/bin",
        SHELL: "/bin/bash",
        TERMINAL_PLACE: name,
        TMPDIR: temporary,
      },
      user,
      writeCommand: (text) => write("command", text),
      endAll: () => endProcesses(whose),
      clear: async () => {
        await endProcesses(whose);
        remove(folder);
      },
    };
  }

  /** Removes what is left, after all places are cleared. */
  remove(): void {
    remove(this.#folder);
  }
}

/** A user may have made folders that not even we can remove: that must stop nothing. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    warn(`[Terminal] Files are left in ${folder}: ${reason(error)}`);
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** A user id that nobody has at this time, on this machine. */
function freeUser(): User {
  for (let tries = 0; tries < 100; tries += 1) {
    const uid = randomInt(USERS.first, USERS.behind);
    if (!hasProcesses({ uid })) return { uid, gid: uid };
  }
  throw new Error("no user id is free for a terminal");
}

/**
 * What an interactive bash reads at its start. Without all of the limits there is no shell.
 *
 * `stty sane` puts right what a program that was killed left behind; without echo, what starts the next command is not seen.
 */
function startFile(name: string, processes: number): string {
  const { cpuSeconds, memoryKb, fileKb, files } = LIMITS;
  const limits = [`-c 0`, `-t ${cpuSeconds}`, `-v ${memoryKb}`, `-f ${fileKb}`, `-n ${files}`, `-u ${processes}`];
  return [
    ...limits.map((limit) => `ulimit ${limit} || exit 125`),
    // Files that this process was given by its own parent. 255 is bash's terminal.
    'for wsfix_fd in /proc/$$/fd/*; do wsfix_fd=${wsfix_fd##*/}; case $wsfix_fd in [012]|255|"*") ;; *) eval "exec $wsfix_fd>&-" ;; esac; done',
    'cd -- "$wsfix_cwd" 2>/dev/null',
    "unset HISTFILE wsfix_cwd wsfix_fd OLDPWD",
    "umask 077",
    "PS1= PS2=",
    `PROMPT_COMMAND='wsfix_status=$?; stty sane -echo; ${printMark(name).replaceAll("'", `'\\''`)}'`,
    "readonly PROMPT_COMMAND",
    "",
  ].join("\n");
}
