/** Messages to a client that did not just ask, by `PostToConnection`; docs/push.md says what that takes. */

import type { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { log, reason, warn } from "./log.js";
import type { ServerMessage } from "./protocol.js";

export interface Push {
  /** Whether it is worth trying. */
  readonly isSet: boolean;
  /** Whether messages arrive, as far as is known. */
  readonly works: boolean;
  /** Sends one message; false: the connection is gone for good. Throws where it cannot be sent now. */
  send(connectionId: string, message: ServerMessage): Promise<boolean>;
}

/** Without the address nothing is pushed: clients poll. */
export const NO_PUSH: Push = {
  isSet: false,
  works: false,
  send: () => Promise.reject(new Error("MANAGEMENT_URL is not set")),
};

/** `url`: the `management_url` of `wsfix status --output json`. Credentials are found as every AWS tool finds them. */
export async function pushTo(url: string): Promise<Push> {
  // Loaded only where it is used.
  const { ApiGatewayManagementApiClient, GoneException, PostToConnectionCommand } = await import("@aws-sdk/client-apigatewaymanagementapi");
  const region = regionOf(url);
  const client: ApiGatewayManagementApiClient = new ApiGatewayManagementApiClient({
    endpoint: url,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 3000, requestTimeout: 5000, throwOnRequestTimeout: true },
    ...(region === undefined ? {} : { region }),
  });
  let works = true;
  return {
    isSet: true,
    get works() {
      return works;
    },
    async send(connectionId, message) {
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: JSON.stringify(message) }));
        if (!works) log("[Push] Works again");
        works = true;
        return true;
      } catch (error) {
        if (error instanceof GoneException) return false;
        if (works) warn(`[Push] Failed: ${reason(error)}. Clients are told to poll`);
        works = false;
        throw error;
      }
    },
  };
}

/** The Region in the address of an API, where it has AWS's own name. */
export function regionOf(url: string): string | undefined {
  return /^[^.]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/.exec(new URL(url).hostname)?.[1];
}
