// A WebSocket server of the package `ws` on a free port, which it prints; it answers each message and ends with its parent.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: (offered) => offered.values().next().value });
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data.toString()));
});
server.on("listening", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
