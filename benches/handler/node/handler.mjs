// What the handler does, as one writes it for Lambda's Node.js runtime. It lacks the handler's time limits and checks of hostile input.

import { createHmac } from "node:crypto";
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { DeleteItemCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import jwt from "jsonwebtoken";

const { TABLE_NAME, APP_RUNNER_URL, JWT_SECRET, WSFIX_MANAGEMENT_URL, WSFIX_SIGNING_KEY } = process.env;
const dynamodb = new DynamoDBClient({});
const connections = new ApiGatewayManagementApiClient({ endpoint: WSFIX_MANAGEMENT_URL });

export async function handler(event) {
  const { connectionId, eventType, routeKey } = event.requestContext;
  console.log(`[WebSocket] Route: ${routeKey}, ConnectionId: ${connectionId}`);
  switch (eventType) {
    case "CONNECT":
      return connect(event, connectionId);
    case "MESSAGE":
      return message(event, connectionId);
    case "DISCONNECT":
      return disconnect(event, connectionId);
    default:
      return { statusCode: 400 };
  }
}

async function connect(event, connectionId) {
  const { token, sessionId: wanted } = event.queryStringParameters ?? {};
  let claims;
  try {
    claims = jwt.verify(token, JWT_SECRET, { algorithms: ["HS256"], clockTolerance: 30 });
  } catch {
    return { statusCode: 401 };
  }
  if (wanted !== undefined && wanted !== claims.sessionId) return { statusCode: 403 };
  const Item = {
    connectionId: { S: connectionId },
    sessionId: { S: claims.sessionId },
    connectedAt: { N: String(event.requestContext.connectedAt) },
    expiresAt: { N: String(now() + 7800) },
    authUntil: { N: String(claims.exp + 30) },
    sourceIp: { S: event.requestContext.identity.sourceIp },
  };
  if (claims.sub) Item.userId = { S: claims.sub };
  await dynamodb.send(new PutItemCommand({ TableName: TABLE_NAME, Item, ConditionExpression: "attribute_not_exists(connectionId)" }));
  console.log(`[WebSocket] Connected: ${connectionId}, Session: ${claims.sessionId}`);
  return { statusCode: 200 };
}

async function message(event, connectionId) {
  const said = JSON.parse(event.body);
  console.log(`[WebSocket] Message from ${connectionId}: { type: '${said.type}' }`);
  const Key = { connectionId: { S: connectionId } };
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: TABLE_NAME, Key, ConsistentRead: true }));
  const sessionId = Item.sessionId.S;
  const body = { ...said, connectionId, sessionId, userId: Item.userId?.S ?? null };
  const answer = await post("/api/ws/message", body, event.requestContext.requestId);
  JSON.parse(answer);
  await connections.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: answer }));
  return { statusCode: 200 };
}

async function disconnect(event, connectionId) {
  const Key = { connectionId: { S: connectionId } };
  const { Attributes } = await dynamodb.send(new DeleteItemCommand({ TableName: TABLE_NAME, Key, ReturnValues: "ALL_OLD" }));
  const { disconnectStatusCode: code, disconnectReason: reason, requestId } = event.requestContext;
  const [sessionId, userId] = [Attributes?.sessionId?.S ?? null, Attributes?.userId?.S ?? null];
  await post("/api/ws/disconnect", { connectionId, sessionId, userId, code, reason }, requestId);
  console.log(`[WebSocket] Disconnected: ${connectionId}`);
  return { statusCode: 200 };
}

async function post(path, message, requestId) {
  const body = JSON.stringify(message);
  const t = now();
  const signature = createHmac("sha256", WSFIX_SIGNING_KEY).update(`${t}.${requestId}.POST.${path}.${body}`).digest("hex");
  const response = await fetch(`${APP_RUNNER_URL}${path}`, {
    method: "POST",
    body,
    headers: {
      "Content-Type": "application/json",
      "X-Connection-Id": message.connectionId,
      "X-Session-Id": message.sessionId ?? "",
      "X-Request-Id": requestId,
      "X-Wsfix-Signature": `t=${t},v1=${signature}`,
    },
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`status ${response.status}`);
  return answer;
}

function now() {
  return Math.floor(Date.now() / 1000);
}
