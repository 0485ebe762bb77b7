// One call to the local cloud's DynamoDB, signed as AWS wants it (AWS guide, Signature Version 4).

import { createHash, createHmac } from "node:crypto";

/** Calls an operation of DynamoDB; fails with what it says. */
export async function dynamodb({ endpoint_url, region, access_key_id, secret_access_key }, operation, input) {
  const body = JSON.stringify(input);
  const host = new URL(endpoint_url).host;
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const headers = { "content-type": "application/x-amz-json-1.0", host, "x-amz-date": time, "x-amz-target": `DynamoDB_20120810.${operation}` };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const scope = `${day}/${region}/dynamodb/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(["POST", "/", "", lines.join(""), names, sha256(body)].join("\n"))].join("\n");
  const hmac = (key, data) => createHmac("sha256", key).update(data).digest();
  const key = [day, region, "dynamodb", "aws4_request"].reduce(hmac, `AWS4${secret_access_key}`);
  const signature = hmac(key, text).toString("hex");
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${access_key_id}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  delete headers.host;
  const response = await fetch(endpoint_url, { method: "POST", headers, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${operation}: ${JSON.stringify(answer)}`);
  return answer;
}
