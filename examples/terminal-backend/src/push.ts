/** Messages to a client that did not just ask. */

import type { ServerMessage } from "./protocol.js";

export interface Push {
  /** Whether messages arrive, as far as is known. */
  readonly works: boolean;
  /** Sends one message; false: the connection is gone for good. Throws where it cannot be sent now. */
  send(connectionId: string, message: ServerMessage): Promise<boolean>;
}

/** Without credentials nothing is pushed: clients poll. */
export const NO_PUSH: Push = {
  works: false,
  send: () => Promise.reject(new Error("MANAGEMENT_URL is not set")),
};
