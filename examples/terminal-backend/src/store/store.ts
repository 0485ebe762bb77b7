/** What outlives this process, or is shared with others of its kind. */

import { UsedHere, type Used } from "../signature.js";

/** A terminal as it can be begun anew: its shell is gone with the process that it ran in. */
export interface SavedSession {
  cols: number;
  rows: number;
  cwd: string;
  /** The last that it printed. */
  screen: string;
  /** The command that ran, or null. */
  running: string | null;
}

/** A connection, for people who look into the store. */
export interface SavedConnection {
  sessionId: string;
  userId: string | null;
  /** Epoch milliseconds. */
  since: number;
  heard: number;
}

/** Nothing here throws or waits long: a store that is away must not stop a terminal. */
export interface Store extends Used {
  readonly status: "connected" | "unavailable" | "not used";
  session(key: string): Promise<SavedSession | null>;
  /** `seconds`: how long it is kept. */
  saveSession(key: string, saved: SavedSession, seconds: number): Promise<void>;
  removeSession(key: string): Promise<void>;
  saveConnection(connectionId: string, saved: SavedConnection): Promise<void>;
  removeConnection(connectionId: string): Promise<void>;
}

/** Without Redis nothing is kept: sessions live in this process alone. */
export class NoStore extends UsedHere implements Store {
  readonly status = "not used";

  session(): Promise<null> {
    return Promise.resolve(null);
  }

  async saveSession(): Promise<void> {
    // nothing is kept
  }

  async removeSession(): Promise<void> {
    // nothing was kept
  }

  async saveConnection(): Promise<void> {
    // nothing is kept
  }

  async removeConnection(): Promise<void> {
    // nothing was kept
  }
}
