// A link to the sidecar's WebSocket door.

import { Unavailable } from "../rpc/errors.js";

const CONNECT_MS = 5_000;

/** Gives the open link; `onEnd(why)` is called once when it is gone. Throws `Unavailable`. */
export function connectSocket({ url, token, onText, onEnd, timeoutMs = CONNECT_MS }) {
  if (typeof WebSocket !== "function") {
    throw new Unavailable("This Node.js has no WebSocket; use Node.js 22 or newer.", {
      retryable: false,
    });
  }
  return new Promise((resolve, reject) => {
    // `headers` is an extension of Node.js; a browser's WebSocket could not send the token.
    const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
    const refuse = (why) => {
      clearTimeout(timer);
      reject(new Unavailable(why));
    };
    const timer = setTimeout(() => {
      socket.close();
      refuse("The sidecar's WebSocket did not open in time.");
    }, timeoutMs);
    socket.addEventListener("open", () => {
      clearTimeout(timer);
      resolve({
        send: (text) => socket.send(text),
        close: () => socket.close(),
      });
    });
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") onText(data);
    });
    socket.addEventListener("error", () => {
      refuse("The sidecar's WebSocket cannot be reached, or it refused the token.");
    });
    socket.addEventListener("close", ({ code }) => {
      refuse("The sidecar closed the WebSocket.");
      onEnd(`the WebSocket closed (${code})`);
    });
  });
}
